// Whether training data hold what the model is to be judged by: queries, pairs and relevant documents
// of evaluation sets, compared without case, punctuation and double blanks, and queries that are
// nearly the same.

import {stat} from 'node:fs/promises';
import {basename} from 'node:path';
import {HashTable} from '../data/columns.js';
import {parseRecord, type TrainingRecord} from '../data/record.js';
import {closeAll, openSources} from '../data/sources.js';
import {textHash} from '../data/text-hash.js';
import {EngineError} from '../errors.js';
import {openSet} from '../evaluate/sets.js';
import type {HubOptions} from '../hub/settings.js';
import {giveTurn} from '../pace.js';
import {type Findings, placeOf, shown} from './findings.js';
import {NearTexts, normalised} from './near.js';

/** What an evaluation set holds, and how much of it stands in the training data. */
export interface SetLeakage {
	name: string;
	queries: number;
	documents: number;
	/** Records of the training data whose query, pair or positive is one of the set. */
	leakedQueries: number;
	leakedPairs: number;
	leakedDocuments: number;
	nearQueries: number;
}

interface Texts {
	name: string;
	queries: AsyncIterable<string> | Iterable<string>;
	/** Pairs of a query and its relevant document. */
	pairs: AsyncIterable<readonly [string, string]>;
}

const keyOf = (text: string) => textHash(normalised(text) || text);
const pairKey = (query: string, document: string) => textHash(`${keyOf(query)} ${keyOf(document)}`);

export class Contamination {
	readonly sets: SetLeakage[] = [];
	/** The set, from 0, that a key is of. */
	readonly #queries = new HashTable();
	readonly #documents = new HashTable();
	readonly #pairs = new HashTable();
	/** Queries of each set. */
	readonly #near: NearTexts[] = [];
	readonly #findings: Findings;

	constructor(findings: Findings) {
		this.#findings = findings;
	}

	/** Reads evaluation sets: retrieval folders, scored pairs, or data in any layout of training. */
	static async open(
		sources: readonly string[],
		findings: Findings,
		reading: Reading,
	): Promise<Contamination> {
		const all = new Contamination(findings);
		for (const source of sources) {
			const texts = await textsOf(source, reading);
			await all.#add(texts, reading.signal);
		}

		return all;
	}

	async #add({name, queries, pairs}: Texts, signal?: AbortSignal): Promise<void> {
		const set = this.sets.length;
		const nothing = {leakedQueries: 0, leakedPairs: 0, leakedDocuments: 0, nearQueries: 0};
		const facts: SetLeakage = {name, queries: 0, documents: 0, ...nothing};
		this.sets.push(facts);
		const near = new NearTexts();
		this.#near.push(near);
		for await (const query of queries) {
			const pause = giveTurn(signal);
			if (pause !== undefined) await pause;
			if (isNew(this.#queries, keyOf(query), set)) facts.queries++;
			near.findOrAdd(query, 0);
		}

		for await (const [query, document] of pairs) {
			const pause = giveTurn(signal);
			if (pause !== undefined) await pause;
			if (isNew(this.#documents, keyOf(document), set)) facts.documents++;
			isNew(this.#pairs, pairKey(query, document), set);
		}
	}

	/** Looks for a record among the sets. */
	see({query, positives}: TrainingRecord, where: string): void {
		if (this.sets.length === 0) return;
		const set = this.#queries.get(keyOf(query));
		const near = set ?? this.#near.findIndex(texts => texts.find(query) !== undefined);
		if (set !== undefined) {
			this.sets[set]!.leakedQueries++;
			this.#tell('evaluation-query', where, set, query);
		} else if (near >= 0) {
			this.sets[near]!.nearQueries++;
			this.#tell('near-evaluation-query', where, near, query);
		}

		for (const text of positives) this.#seeDocument(query, text, where);
	}

	#seeDocument(query: string, text: string, where: string): void {
		const pair = this.#pairs.get(pairKey(query, text)) ?? this.#pairs.get(pairKey(text, query));
		const document = this.#documents.get(keyOf(text));
		if (pair !== undefined) {
			this.sets[pair]!.leakedPairs++;
			this.#tell('evaluation-pair', where, pair, query);
		} else if (document !== undefined) {
			this.sets[document]!.leakedDocuments++;
			this.#tell('evaluation-document', where, document, text);
		}
	}

	#tell(
		kind: Parameters<Findings['add']>[0],
		where: string,
		...[set, text]: [number, string]
	): void {
		const {name} = this.sets[set]!;
		this.#findings.add(kind, () => ({...placeOf(where), text: `${name}: ${shown(text)}`}));
	}
}

function isNew(table: HashTable, key: number, set: number): boolean {
	if (table.get(key) !== undefined) return false;
	table.set(key, set);
	return true;
}

type Reading = {
	split: string;
	hub?: HubOptions | undefined;
	signal?: AbortSignal | undefined;
};

async function textsOf(source: string, reading: Reading): Promise<Texts> {
	const path = /^[^/=]+=(.+)$/.exec(source)?.[1] ?? source;
	const isFolder = await stat(path).then(
		found => found.isDirectory(),
		() => false,
	);
	const {split, signal} = reading;
	if (isFolder) return retrievalTexts(source, {split, signal});
	return recordTexts(source, reading);
}

async function retrievalTexts(source: string, reading: Reading): Promise<Texts> {
	const found = await openSet({task: 'retrieval', source}, reading);
	if (found.task !== 'retrieval') throw new EngineError('INTERNAL', 'check: a set of another task');
	const {name, set} = found;
	const queries = new Map(set.queries.map(({id, text}) => [id, text]));
	const queriesOf = new Map<string, string[]>();
	for (const [query, grades] of set.judgements) {
		for (const [document, grade] of grades) {
			if (grade > 0) queriesOf.set(document, [...(queriesOf.get(document) ?? []), query]);
		}
	}

	async function* pairs() {
		for await (const {id, text} of set.documents) {
			for (const query of queriesOf.get(id) ?? []) yield [queries.get(query)!, text] as const;
		}
	}

	return {name, queries: queries.values(), pairs: pairs()};
}

/** Queries and positives of records; both texts of scored pairs. */
async function recordTexts(source: string, {hub, signal}: Reading): Promise<Texts> {
	const name = /^([^/=]+)=/.exec(source)?.[1] ?? basename(source);
	async function* records() {
		const {files} = await openSources([source], {hub, signal});
		try {
			for (const {format} of files) {
				for await (const slices of format.slices({signal})) {
					for (const {text, where} of slices)
						yield parseRecord(format.parse(text, where), where).record;
				}
			}
		} finally {
			await closeAll(files);
		}
	}

	async function* queries() {
		for await (const {query} of records()) yield query;
	}

	async function* pairs() {
		for await (const {query, positives} of records()) {
			for (const positive of positives) yield [query, positive] as const;
		}
	}

	return {name, queries: queries(), pairs: pairs()};
}
