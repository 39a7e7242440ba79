// A model on a retrieval set: queries are encoded once, documents slice by slice, and each slice is
// searched before the next is read, so vectors of the whole corpus are never held.

import {EngineError} from '../errors.js';
import {textBatches} from '../model/batches.js';
import type {EmbeddingModel, EncodeOptions} from '../model/embedding-model.js';
import {documentPrompt as savedDocumentPrompt} from '../model/outer-config.js';
import type {Route} from '../model/router.js';
import {isUnpooled} from '../model/token-head.js';
import {answerMetrics, unjudged, withAnswers} from './answers.js';
import type {IdentifiedText, RetrievalSet} from './beir.js';
import type {Ranking} from './metrics.js';
import type {EvaluateSettings} from './options.js';
import {evaluateRankings, type RetrievalReport} from './rankings.js';
import {searchByTokens} from './token-search.js';
import {TopDocuments} from './top-documents.js';

/** Texts encoded, of how many, and the set that is being evaluated. */
export type EvaluationProgress = {name: string; done: number; total: number};

export type Watching = {
	signal?: AbortSignal | undefined;
	onProgress?: ((progress: EvaluationProgress) => void) | undefined;
};

export type RetrievalOutcome = RetrievalReport & {
	/** The best documents of every query, best first; made anew by every loop over it. */
	rankings: Iterable<readonly [query: string, ranking: Ranking]>;
	truncatedQueries: number;
	truncatedDocuments: number;
};

/** Documents ranked for a query, 1000 as trec_eval's runs usually go: what lies behind is not found. */
export function runDepth(k: readonly number[]): number {
	return Math.max(1000, ...k);
}

export async function evaluateRetrieval(
	model: EmbeddingModel,
	set: RetrievalSet,
	settings: EvaluateSettings,
	watching: Watching = {},
): Promise<RetrievalOutcome> {
	const {k, ties, ignoreIdenticalIds} = settings;
	const {signal} = watching;
	const kept = runDepth(k);
	const search = isUnpooled(model.folder.spec.head) ? tokenSearch : vectorSearch;
	const {best, ...truncated} = await search(model, set, {
		settings,
		watching,
		count: Math.min(set.documentIds.length, kept + (ignoreIdenticalIds ? 1 : 0)),
	});
	const rankings = rankingsOf(set, best, {kept, ignoreIdenticalIds});
	const isJudged = set.judgements.size > 0;
	const report = isJudged
		? await evaluateRankings(rankings, set.judgements, {k, ties, signal})
		: unjudged;
	const answered = await answerMetrics(set, rankings, signal);
	return {...withAnswers(report, answered), rankings, ...truncated};
}

type Search = {
	settings: EvaluateSettings;
	watching: Watching;
	/** Documents kept per query. */
	count: number;
};

type Found = {
	best: {of(query: number): [document: number, score: number][]};
	truncatedQueries: number;
	truncatedDocuments: number;
};

async function vectorSearch(
	model: EmbeddingModel,
	set: RetrievalSet,
	{settings, watching, count}: Search,
): Promise<Found> {
	const normalize = isCosine(model);
	const {signal} = watching;
	const encode = encoderOf(model, set, {settings, watching}, (texts, options) =>
		model.encode(texts, {...options, normalize}),
	);
	const queries = await encode(set.queries, 'query');
	const best = await TopDocuments.open(model.computing.native, queries, {count, signal});
	let truncatedDocuments = 0;
	try {
		for await (const slice of textBatches(set.documents)) {
			const {data, truncated} = await encode(slice, 'document');
			await best.add(data);
			truncatedDocuments += truncated;
		}
		await best.finish();
	} finally {
		best.dispose();
	}
	return {best, truncatedQueries: queries.truncated, truncatedDocuments};
}

/** Of a model of token vectors, which has no other similarity than MaxSim. */
function tokenSearch(
	model: EmbeddingModel,
	set: RetrievalSet,
	{settings, watching, count}: Search,
): Promise<Found> {
	const encode = encoderOf(model, set, {settings, watching}, (texts, options) =>
		model.encodeTokens(texts, options),
	);
	return searchByTokens(model, set, {count, encode, signal: watching.signal});
}

type Encode<T> = (texts: readonly IdentifiedText[], side: Route) => Promise<T>;

/** Encodes texts of one side after another, and tells how far it is. */
function encoderOf<T>(
	model: EmbeddingModel,
	{name, queries, documentIds}: RetrievalSet,
	{settings, watching: {signal, onProgress}}: Omit<Search, 'count'>,
	encode: (texts: readonly string[], options: EncodeOptions) => Promise<T>,
): Encode<T> {
	const {dimensions, batchTokens} = settings;
	const prompts = {
		query: queryPromptOf(model, settings),
		document: documentPromptOf(model, settings),
	};
	const total = queries.length + documentIds.length;
	let before = 0;
	return async (texts, side) => {
		const encoded = await encode(
			texts.map(({text}) => text),
			{
				...{promptText: prompts[side], ...model.side(side)},
				...{dimensions, batchTokens, signal},
				onProgress(progress) {
					const done = before + Math.round((progress.done / progress.total) * texts.length);
					onProgress?.({name, done, total});
				},
			},
		);
		before += texts.length;
		return encoded;
	};
}

/** Whether documents are ranked by the cosine: always, unless the model asks for the dot product. */
function isCosine({folder}: EmbeddingModel): boolean {
	const similarity = folder.similarity ?? 'cosine';
	if (folder.spec.head.normalize || similarity === 'cosine') return true;
	if (similarity === 'dot') return false;
	throw new EngineError(
		'MODEL_CONFIG',
		`${folder.path}: expected similarity_fn_name cosine or dot, got ${similarity}; ` +
			'rank with --normalize',
	);
}

function queryPromptOf({prompts}: EmbeddingModel, {queryPrompt}: EvaluateSettings) {
	return queryPrompt ?? prompts['query'];
}

function documentPromptOf({prompts}: EmbeddingModel, {documentPrompt}: EvaluateSettings) {
	return documentPrompt ?? savedDocumentPrompt(prompts);
}

function rankingsOf(
	{queries, documentIds}: RetrievalSet,
	best: Found['best'],
	{kept, ignoreIdenticalIds}: {kept: number; ignoreIdenticalIds: boolean},
): RetrievalOutcome['rankings'] {
	return {
		*[Symbol.iterator]() {
			for (const [row, {id}] of queries.entries()) {
				const ranking = best.of(row).map(([document, score]) => {
					return [documentIds[document]!, score] as const;
				});
				const others = ignoreIdenticalIds ? ranking.filter(([one]) => one !== id) : ranking;
				yield [id, others.slice(0, kept)] as const;
			}
		},
	};
}
