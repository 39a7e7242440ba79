// A batch of rows of which much is known, for the masks of the in-batch loss.

import {textHash} from '../../dist/data/text-hash.js';
import type {RowsKnown} from '../../dist/loss/loss.js';
import {normals, randomMatrix} from './matrix.js';
import type {LossCase} from './plain-loss.js';

export type Row = {
	query: string;
	positive: string;
	negatives: string[];
	id?: string;
	document?: string;
	positives?: string[];
	set?: number;
};

/** With every kind of false negative. */
export const rows: readonly Row[] = [
	{query: 'a', positive: 'A', negatives: ['x', 'B'], document: 'd0', positives: ['d0', 'd4']},
	{query: 'b', positive: 'B', negatives: ['A'], id: 'q7', document: 'd1'},
	{query: 'b, said otherwise', positive: 'C', negatives: ['B'], id: 'q7', document: 'd2'},
	{query: 'A', positive: 'D', negatives: [], document: 'd3', set: 1},
	{query: 'e', positive: 'E', negatives: ['y', 'x'], document: 'd4', set: 1},
	{query: 'a', positive: 'F', negatives: ['D'], document: 'd5', positives: ['d5', 'd1']},
];

const hash = (text: string | undefined) => (text === undefined ? 0 : textHash(text));
const hashes = (texts: (string | undefined)[]) => Float64Array.from(texts, hash);
const negativesOf = rows.flatMap(({negatives}) => negatives);
const known: RowsKnown = {
	texts: [
		hashes(rows.map(({query}) => query)),
		hashes(rows.map(({positive}) => positive)),
		hashes(negativesOf),
	],
	queries: hashes(rows.map(({query, id}) => id ?? query)),
	documents: [hashes(rows.map(({document}) => document)), hashes(negativesOf)],
	positives: {
		offsets: Int32Array.from([0, ...rows].map((_, n) => listed(rows.slice(0, n)).length)),
		documents: hashes(listed(rows)),
	},
	sets: Float64Array.from(rows, ({set = 0}) => set),
};

function listed(part: readonly Row[]): string[] {
	return part.flatMap(({positives, document}) => positives ?? [document!]);
}

const random = normals(5);
const negativeOffsets = Int32Array.from(
	[0, ...rows].map((_, n) => rows.slice(0, n).flatMap(({negatives}) => negatives).length),
);
/** Vectors of the rows, with what is known of these. */
export const batch: LossCase = {
	columns: [rows.length, rows.length, negativesOf.length].map(count =>
		randomMatrix(count, 4, random),
	),
	offsets: [undefined, undefined, negativeOffsets],
	known,
	// of each positive and then its negatives
	scores: Float32Array.from([0.5, 0.4, 0.96, 0.3, 0.28, 0.9, 0.2, 0.7, 0.8, 0.1, 0.75, 0.6, 0.5]),
};
