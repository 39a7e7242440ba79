// Queries and documents of the data that are nearly the same as earlier ones, with the places of both.

import type {Dataset} from '../data/dataset.js';
import type {TrainingRecord} from '../data/record.js';
import {type Findings, placeOf, shown} from './findings.js';
import {NearTexts} from './near.js';

type Kind = 'near-query' | 'near-document';

interface Found {
	where: string;
	text: string;
	/** The record that has the text it is near. */
	before: number;
}

const emptyFound = () => ({count: 0, first: [] as Found[]});

export class NearRecords {
	readonly #texts = {'near-query': new NearTexts(), 'near-document': new NearTexts()};
	readonly #found = {'near-query': emptyFound(), 'near-document': emptyFound()};
	readonly #findings: Findings;
	readonly #most: number;

	constructor(findings: Findings, most: number) {
		this.#findings = findings;
		this.#most = most;
	}

	see({query, positives, negatives}: TrainingRecord, where: string, record: number): void {
		this.#see('near-query', query, {where, record});
		for (const text of positives) this.#see('near-document', text, {where, record});
		for (const text of negatives) this.#see('near-document', text, {where, record});
	}

	/** Makes findings of all, and of the texts that there was no room to compare. */
	async tell(dataset: Dataset): Promise<void> {
		for (const kind of ['near-query', 'near-document'] as const) {
			const {count, first} = this.#found[kind];
			const places = await dataset.locate(first.map(({before}) => before));
			const examples = first.map(({where, text}, n) => {
				return {...placeOf(where), text: `${shown(text)} (as ${places[n]})`};
			});
			this.#findings.addAll(kind, count, examples);
			this.#findings.addAll('not-compared', this.#texts[kind].skipped, []);
		}
	}

	#see(kind: Kind, text: string, {where, record}: {where: string; record: number}): void {
		const near = this.#texts[kind].findOrAdd(text, record);
		if (near === undefined || near.isSame) return;
		const found = this.#found[kind];
		found.count++;
		if (found.first.length < this.#most) found.first.push({where, text, before: near.label});
	}
}
