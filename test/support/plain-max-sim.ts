// Scores of texts by the rows of their tokens, by the plainest loops.

import type {MaxSimOptions} from '../../dist/autograd/max-sim.js';
import {type Matrix, matrixOf} from './matrix.js';
import {dotOfRows} from './oracle.js';
import {exact, type Round} from './tolerance.js';

export function plainMaxSim(
	queries: Matrix,
	documents: Matrix,
	options: MaxSimOptions,
	round: Round = exact,
): Matrix {
	const {queryOffsets, documentOffsets} = options;
	const count = documentOffsets.length - 1;
	return matrixOf(queryOffsets.length - 1, count, index => {
		const [query, document] = [Math.floor(index / count), index % count];
		if (!isMet(options, query, document)) return -Infinity;
		const [begin, end] = [documentOffsets[document]!, documentOffsets[document + 1]!];
		let score = 0;
		for (let row = queryOffsets[query]!; row < queryOffsets[query + 1]!; row++) {
			const products = Array.from({length: end - begin}, (_, n) =>
				dotOfRows(queries, row, documents, begin + n, round),
			);
			if (products.length > 0) score = round(score + Math.max(...products));
		}
		return score;
	});
}

function isMet(
	{owner, positives, own, others, ownHard, otherHard}: MaxSimOptions,
	query: number,
	document: number,
): boolean {
	const isOwn = owner[document] === query;
	if (document < positives) return isOwn ? own : others;
	return isOwn ? ownHard : otherHard;
}
