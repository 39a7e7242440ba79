// A model on a retrieval set: queries are encoded once, documents slice by slice, and each slice is
// searched before the next is read, so vectors of the whole corpus are never held.

import {EngineError} from '../errors.js';
import {textBatches} from '../model/batches.js';
import type {EmbeddingModel, EncodeOptions} from '../model/embedding-model.js';
import type {Encoded} from '../model/encode.js';
import {documentPrompt as savedDocumentPrompt} from '../model/outer-config.js';
import type {IdentifiedText, RetrievalSet} from './beir.js';
import type {Ranking} from './metrics.js';
import type {EvaluateSettings} from './options.js';
import {evaluateRankings, type RetrievalReport} from './rankings.js';
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
	const encode = encoderOf(model, set, settings, watching);
	const queries = await encode(set.queries, {
		promptText: queryPromptOf(model, settings),
		...model.side('query'),
	});
	const documents = {truncated: 0};
	const best = await TopDocuments.open(model.computing.native, queries, {
		count: Math.min(set.documentIds.length, kept + (ignoreIdenticalIds ? 1 : 0)),
		signal,
	});
	try {
		const promptText = documentPromptOf(model, settings);
		for await (const slice of textBatches(set.documents)) {
			const {data, truncated} = await encode(slice, {promptText, ...model.side('document')});
			await best.add(data);
			documents.truncated += truncated;
		}
		await best.finish();
	} finally {
		best.dispose();
	}
	const rankings = rankingsOf(set, best, {kept, ignoreIdenticalIds});
	return {
		...(await evaluateRankings(rankings, set.judgements, {k, ties, signal})),
		rankings,
		truncatedQueries: queries.truncated,
		truncatedDocuments: documents.truncated,
	};
}

type Encode = (texts: readonly IdentifiedText[], options: EncodeOptions) => Promise<Encoded>;

function encoderOf(
	model: EmbeddingModel,
	{name, queries, documentIds}: RetrievalSet,
	{dimensions, batchTokens}: EvaluateSettings,
	{signal, onProgress}: Watching,
): Encode {
	const normalize = isCosine(model);
	const total = queries.length + documentIds.length;
	let before = 0;
	return async (texts, options) => {
		const encoded = await model.encode(
			texts.map(({text}) => text),
			{
				...options,
				dimensions,
				batchTokens,
				normalize,
				signal,
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
	best: TopDocuments,
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
