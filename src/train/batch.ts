// Rows of texts to packed tokens: all queries, then all positives, if rows have them, then all hard
// negatives, cut into chunks of a token budget.

import type {RowTexts} from '../data/rows.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import type {ModelSpec} from '../model/spec.js';
import type {Tower} from '../model/towers.js';
import type {PackedBatch} from '../native.js';
import {giveTurn} from '../pace.js';
import type {PromptRules} from './prompts.js';

export type BatchRules = {
	queryMaxLength: number;
	documentMaxLength: number;
	prompts: PromptRules;
	/** 2: a text alone stands twice in the batch, and what differs is its dropout. */
	views: 1 | 2;
	/** Tokens of one forward and backward pass. */
	chunkTokens: number;
	/** Whether a text has a row for each of its tokens. */
	unpooled: boolean;
};

/** A part of a batch: consecutive texts. */
export type Chunk = {
	first: number;
	count: number;
	/** The number of the tower that encodes it. */
	tower: number;
	packed: PackedBatch & {texts: Int32Array};
};

export type TrainingBatch = {
	rows: number;
	/** Where the positives and the negatives of each row begin, and one more: rows + 1. */
	positiveOffsets: Int32Array;
	negativeOffsets: Int32Array;
	texts: number;
	tokens: number;
	/** Where the rows of each text begin, where it has one for each token. */
	tokenOffsets: Int32Array | undefined;
	chunks: Chunk[];
	truncatedQueries: number;
	truncatedDocuments: number;
};

/** The rows that texts of a batch have, and where among them each text begins if it has several. */
export function rowsOfTexts(
	{tokenOffsets}: Pick<TrainingBatch, 'tokenOffsets'>,
	first: number,
	count: number,
): {begin: number; count: number; tokens?: Int32Array} {
	if (!tokenOffsets) return {begin: first, count};
	const begin = tokenOffsets[first]!;
	const tokens = tokenOffsets.slice(first, first + count + 1).map(offset => offset - begin);
	return {begin, count: tokens.at(-1)!, tokens};
}

/** Tokenizes and packs the texts of the rows of one step. */
export async function packBatch(
	model: EmbeddingModel,
	rows: readonly RowTexts[],
	rules: BatchRules,
	signal?: AbortSignal,
): Promise<TrainingBatch> {
	const [query, document] = [model.towerOf('query'), model.towerOf('document')];
	const {queries, documents} = await textsOf(rows, rules, signal);
	const [left, right, skip] = await Promise.all([
		idsOf(query, queries, rules.queryMaxLength, signal),
		idsOf(document, documents, rules.documentMaxLength, signal),
		skipsOf(model, {queries, documents}, rules),
	]);
	const ids = new Int32Array(left.ids.length + right.ids.length);
	ids.set(left.ids);
	ids.set(right.ids, left.ids.length);
	const offsets = new Int32Array(queries.length + documents.length + 1);
	offsets.set(left.offsets);
	offsets.set(
		right.offsets.map(offset => offset + left.ids.length),
		queries.length,
	);
	return {
		rows: rows.length,
		positiveOffsets: offsetsOf(rows, row =>
			rules.views === 2 || row.positive !== undefined ? 1 + (row.morePositives?.length ?? 0) : 0,
		),
		negativeOffsets: offsetsOf(rows, row => row.negatives.length),
		texts: queries.length + documents.length,
		tokens: ids.length,
		tokenOffsets: rules.unpooled ? offsets : undefined,
		chunks: chunksOf(
			{ids, offsets, ...(skip && {skip}), ...(rules.unpooled && {unpooled: true})},
			{budget: rules.chunkTokens, border: document === query ? 0 : queries.length},
		),
		truncatedQueries: count(left.truncated),
		truncatedDocuments: count(right.truncated),
	};
}

/** Ids of texts by the tokenizer of their tower. */
function idsOf(
	{tokenizer, folder: {truncationSide, addSpecialTokens, lowerCase}}: Tower,
	prompted: readonly Prompted[],
	maxLength: number,
	signal?: AbortSignal,
) {
	const texts = prompted.map(({text}) => text);
	const all = prompted.map(({prompt}) => prompt);
	const [first = ''] = all;
	const prompts = all.every(prompt => prompt === first) ? first : all;
	const asked = {maxLength, truncationSide, addSpecialTokens, prompts, lowerCase, signal};
	return tokenizer.encode(texts, asked);
}

/** A text and the prompt that the tokenizer puts around it. */
type Prompted = {prompt: string; text: string};

/** The texts of rows: all queries, and all positives before all negatives. */
async function textsOf(
	rows: readonly RowTexts[],
	{prompts, views}: BatchRules,
	signal?: AbortSignal,
): Promise<{queries: Prompted[]; documents: Prompted[]}> {
	const queries: Prompted[] = [];
	const positives: Prompted[] = [];
	const negatives: Prompted[] = [];
	for (const [n, row] of rows.entries()) {
		if (n % 64 === 0) await giveTurn(signal);
		const prompt = prompts.document(row);
		queries.push({prompt: prompts.query(row), text: row.query});
		if (views === 2) positives.push(queries.at(-1)!);
		else if (row.positive !== undefined) positives.push({prompt, text: row.positive});
		for (const text of row.morePositives ?? []) positives.push({prompt, text});
		for (const text of row.negatives) negatives.push({prompt, text});
	}
	return {queries, documents: [...positives, ...negatives]};
}

/** Leading tokens of each text that pooling leaves out; undefined: none of any. */
async function skipsOf(
	model: EmbeddingModel,
	{queries, documents}: {queries: readonly Prompted[]; documents: readonly Prompted[]},
	{queryMaxLength, documentMaxLength}: BatchRules,
): Promise<Int32Array | undefined> {
	if (model.towers.every(({folder}) => folder.modules.includePrompt)) return undefined;
	const sides = [
		[queries, queryMaxLength, model.towerOf('query')],
		[documents, documentMaxLength, model.towerOf('document')],
	] as const;
	const skips: number[] = [];
	for (const [texts, maxLength, tower] of sides) {
		const counts = new Map<string, number>();
		for (const prompt of new Set(texts.map(each => each.prompt))) {
			counts.set(prompt, await model.promptTokens(prompt, maxLength, tower));
		}
		for (const {prompt} of texts) skips.push(counts.get(prompt)!);
	}
	return Int32Array.from(skips);
}

function offsetsOf(rows: readonly RowTexts[], count: (row: RowTexts) => number): Int32Array {
	const offsets = new Int32Array(rows.length + 1);
	for (const [n, row] of rows.entries()) offsets[n + 1] = offsets[n]! + count(row);
	return offsets;
}

function count(flags: Uint8Array): number {
	return flags.reduce((sum, flag) => sum + flag, 0);
}

/** Chunks of at most so many tokens, or of one text; at the border (0: none) another tower begins. */
function chunksOf(
	{ids, offsets, skip, ...others}: PackedBatch,
	{budget, border}: {budget: number; border: number},
): Chunk[] {
	const chunks: Chunk[] = [];
	const texts = offsets.length - 1;
	for (let first = 0; first < texts; ) {
		let end = first + 1;
		const last = first < border ? border : texts;
		while (end < last && offsets[end + 1]! - offsets[first]! <= budget) end++;
		const begin = offsets[first]!;
		const packed = {
			ids: ids.subarray(begin, offsets[end]),
			offsets: offsets.slice(first, end + 1).map(offset => offset - begin),
			texts: Int32Array.from({length: end - first}, (_, n) => first + n),
			...(skip && {skip: skip.subarray(first, end)}),
			...others,
		};
		const tower = border > 0 && first >= border ? 1 : 0;
		chunks.push({first, count: end - first, tower, packed});
		first = end;
	}
	return chunks;
}

const savedBytes = 4 * 2 ** 30;

/**
Tokens whose activations take 4 GiB: a function of the model alone, so that a run is cut alike on every
machine.
*/
export function automaticChunkTokens({towers}: EmbeddingModel): number {
	return Math.min(...towers.map(({folder}) => tokensWithin(folder.spec)));
}

function tokensWithin({width, blocks}: ModelSpec): number {
	const floats = blocks.reduce(
		(sum, {attention, mlp}) => sum + 8 * width + mlp.width + attention.heads + 4,
		2 * width,
	);
	return Math.max(512, Math.floor(savedBytes / (4 * floats) / 256) * 256);
}
