// An estimate of false negatives: some rows spread over the data, every query against the documents
// of all, by the model that is to be trained. What comes before a query's own positive is suspect.

import type {Dataset} from '../data/dataset.js';
import {below, randomOf} from '../data/random.js';
import type {TrainingRecord} from '../data/record.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {giveTurn} from '../pace.js';
import type {PromptRules} from '../train/prompts.js';
import {type Example, type Findings, placeOf, shown} from './findings.js';
import type {CheckSettings} from './options.js';
import type {MinedFacts} from './report.js';

/** Documents that are encoded at most. */
const mostDocuments = 4096;

interface Mining {
	model: EmbeddingModel;
	prompts: PromptRules;
	settings: CheckSettings;
	findings: Findings;
	signal?: AbortSignal | undefined;
}

/** A document that comes as near to a query as its own positive, and by how much nearer. */
interface Suspect {
	query: number;
	document: number;
	by: number;
}

/** Nothing where there are fewer than two records. */
export async function quickMine(dataset: Dataset, mining: Mining): Promise<MinedFacts | null> {
	const {settings, findings, signal} = mining;
	const numbers = spreadOut(dataset.length, settings);
	const records = await dataset.records(numbers, {signal});
	if (records.length < 2) return null;
	const documents = documentsOf(records);
	const vectors = await vectorsOf({...mining, records, documents});
	const suspected: Suspect[] = [];
	let suspects = 0;
	let pairs = 0;
	for (const [query, record] of records.entries()) {
		const scores = await scoresOf(vectors, query, signal);
		const others = othersOf(documents, record);
		const own = scores[documents.indexOf(record.positives[0]!)] ?? Number.POSITIVE_INFINITY;
		const found = others
			.map(document => ({query, document, by: scores[document]! - own}))
			.filter(({by}) => by >= 0);
		pairs += others.length;
		suspects += found.length;
		if (found.length > 0) suspected.push(found.reduce((a, b) => (b.by > a.by ? b : a)));
	}

	const best = suspected.toSorted((a, b) => b.by - a.by).slice(0, settings.examples);
	const examples = await examplesOf(best, {dataset, records, documents, numbers});
	findings.addAll('suspected-negative', suspects, examples);
	return {
		queries: records.length,
		documents: documents.length,
		queriesWithSuspects: suspected.length,
		suspectShare: suspects / Math.max(1, pairs),
		accuracy: 1 - suspected.length / records.length,
	};
}

/** Places of the documents that are no positives of a record. */
function othersOf(documents: readonly string[], {query, positives}: TrainingRecord): number[] {
	const known = new Set([query, ...positives]);
	return [...documents.keys()].filter(n => !known.has(documents[n]!));
}

/** Numbers of records, one of each of equal parts of the data. */
function spreadOut(length: number, {mine, seed}: CheckSettings): number[] {
	const count = Math.min(mine, length);
	const random = randomOf(seed, length, 0xc4ec);
	return Array.from({length: count}, (_, n) => {
		const begin = Math.floor((n * length) / count);
		return begin + below(random, Math.floor(((n + 1) * length) / count) - begin);
	});
}

/** First positives before negatives, each text once. */
function documentsOf(records: readonly TrainingRecord[]): string[] {
	const first = records.map(({positives}) => positives[0]!);
	const others = records.flatMap(({negatives}) => negatives);
	return [...new Set([...first, ...others])].slice(0, mostDocuments);
}

interface Vectors {
	queries: Float32Array;
	documents: Float32Array;
	width: number;
}

async function vectorsOf({
	model,
	prompts,
	settings,
	records,
	documents,
	signal,
}: Omit<Mining, 'findings'> & Pick<Mined, 'records' | 'documents'>): Promise<Vectors> {
	const {maxLength, width} = model;
	const {queryMaxLength = maxLength, documentMaxLength = maxLength} = settings;
	const encode = async (texts: readonly Prompted[], longest: number) => {
		const vectors = new Float32Array(texts.length * width);
		for (const promptText of new Set(texts.map(({prompt}) => prompt))) {
			const places = [...texts.keys()].filter(n => texts[n]!.prompt === promptText);
			const options = {promptText, maxLength: longest, normalize: true, dimensions: width, signal};
			const {data} = await model.encode(
				places.map(n => texts[n]!.text),
				options,
			);
			for (const [n, place] of places.entries()) {
				vectors.set(data.subarray(n * width, (n + 1) * width), place * width);
			}
		}

		return vectors;
	};
	const queries = records.map(each => ({text: each.query, prompt: prompts.query(each)}));
	return {
		queries: await encode(queries, queryMaxLength),
		documents: await encode(promptedDocuments(documents, records, prompts), documentMaxLength),
		width,
	};
}

interface Prompted {
	text: string;
	prompt: string;
}

/** Each document with the prompt of the first record that has it. */
function promptedDocuments(
	documents: readonly string[],
	records: readonly TrainingRecord[],
	prompts: PromptRules,
): Prompted[] {
	const promptOf = new Map<string, string>();
	for (const record of records) {
		for (const text of [...record.positives, ...record.negatives]) {
			if (!promptOf.has(text)) promptOf.set(text, prompts.document(record));
		}
	}

	return documents.map(text => ({text, prompt: promptOf.get(text) ?? ''}));
}

async function scoresOf(
	{queries, documents, width}: Vectors,
	query: number,
	signal?: AbortSignal,
): Promise<Float64Array> {
	const scores = new Float64Array(documents.length / width);
	for (let document = 0; document < scores.length; document++) {
		if (document % 256 === 0) await giveTurn(signal);
		let sum = 0;
		for (let column = 0; column < width; column++) {
			sum += queries[query * width + column]! * documents[document * width + column]!;
		}

		scores[document] = sum;
	}

	return scores;
}

interface Mined {
	dataset: Dataset;
	records: readonly TrainingRecord[];
	documents: readonly string[];
	numbers: readonly number[];
}

async function examplesOf(
	suspects: readonly Suspect[],
	{dataset, records, documents, numbers}: Mined,
): Promise<Example[]> {
	const places = await dataset.locate(suspects.map(({query}) => numbers[query]!));
	return suspects.map(({query, document, by}, n) => ({
		...placeOf(places[n]!),
		text: `${shown(records[query]!.query)} · ${shown(documents[document]!)} (+${by.toFixed(3)})`,
	}));
}
