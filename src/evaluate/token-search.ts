// Search by MaxSim with a model of token vectors: queries stay on the device, documents pass by in small
// lots, since each has a row for every token.

import {textBatches} from '../model/batches.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {MaxSimQueries} from '../model/max-sim.js';
import type {TokenVectors} from '../model/token-vectors.js';
import type {IdentifiedText, RetrievalSet} from './beir.js';
import {TopScores} from './top-scores.js';

export type TokenSearch = {
	/** Documents kept per query. */
	count: number;
	/** Encodes texts of one side under its prompt. */
	encode: (texts: readonly IdentifiedText[], side: 'query' | 'document') => Promise<TokenVectors>;
	signal: AbortSignal | undefined;
};

export type TokensFound = {best: TopScores; truncatedQueries: number; truncatedDocuments: number};

/** Documents of one lot: their tokens take some 100 MB at most. */
const lotTexts = 64;

export async function searchByTokens(
	{computing}: Pick<EmbeddingModel, 'computing'>,
	set: Pick<RetrievalSet, 'queries' | 'documents'>,
	{count, encode, signal}: TokenSearch,
): Promise<TokensFound> {
	const encoded = await encode(set.queries, 'query');
	const queries = await MaxSimQueries.open(computing.native, encoded, signal);
	const best = new TopScores(queries.count, count);
	let truncatedDocuments = 0;
	try {
		for await (const lot of textBatches(set.documents, lotTexts)) {
			const documents = await encode(lot, 'document');
			await best.add(await queries.scores(documents, signal), signal);
			truncatedDocuments += documents.truncated;
		}
	} finally {
		queries.dispose();
	}
	return {best, truncatedQueries: encoded.truncated, truncatedDocuments};
}
