// Texts and pairs that stand more than once, as findings with their places.

import type {Dataset} from '../data/dataset.js';
import {type Example, type FindingKind, type Findings, placeOf, shown} from './findings.js';
import {type Place, type Repeats, Repetition} from './repeats.js';
import type {Scanned} from './scan.js';

export interface Repeated {
	queries: Repeats;
	documents: Repeats;
	pairs: Repeats;
}

interface Asked {
	/** Examples to keep. */
	most: number;
	findings: Findings;
	signal?: AbortSignal | undefined;
}

export async function findRepeats(
	{dataset, parts}: Scanned,
	{most, findings, signal}: Asked,
): Promise<Repeated> {
	const index = parts.map(part => part.index);
	const repetition = new Repetition(index, {most, signal});
	const tell = async (kind: FindingKind, found: Repeats) => {
		const firsts = parts.map(({first}) => first);
		findings.addAll(kind, found.repeated, await examplesOf(found, {dataset, firsts}));
		return found;
	};
	const queries = await tell('repeated-query', await repetition.of('query'));
	const documents = await tell('repeated-document', await repetition.of('document'));
	const pairs = await tell('repeated-record', await repetition.of('pair'));
	await tell('conflicting-pair', await repetition.conflicts());
	return {queries, documents, pairs};
}

async function examplesOf(
	{first}: Repeats,
	{dataset, firsts}: {dataset: Dataset; firsts: readonly number[]},
): Promise<Example[]> {
	const numbers = first.map(({place}) => firsts[place.file]! + place.record);
	const places = await dataset.locate([...numbers, ...first.map(({before}) => before)]);
	const records = await dataset.records(numbers);
	return first.map(({place}, n) => ({
		...placeOf(places[n]!),
		text: `${shown(textOf(records[n]!, place))} (as ${places[first.length + n]})`,
	}));
}

function textOf(
	{query, positives, negatives}: Awaited<ReturnType<Dataset['records']>>[number],
	{text}: Place,
): string {
	return [query, ...positives, ...negatives][text] ?? query;
}
