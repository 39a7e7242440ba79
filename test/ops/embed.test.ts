// Ids to rows, and their gradient back into the tables.

import {test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {blank, grid, normals, offsetsOf, randomMatrix, sum, uniforms} from '../support/matrix.js';
import {embedBackward, embedForward} from '../support/oracle-texts.js';
import {runOp} from '../support/run-op.js';
import {expectSameBits} from '../support/tolerance.js';

const vocabulary = 40;
const names = ['tokens', 'positions', 'types'] as const;

const cases = grid({
	lengths: [[1], [3, 0, 5], [129, 64, 1], [600], [0, 0]],
	columns: [1, 7, 16, 26, 33, 384],
	place: [
		{positionOffset: 0, scale: 1, padding: -1},
		{positionOffset: 2, scale: 7.25, padding: -1},
		{positionOffset: 2, scale: 1, padding: 3},
	],
}).map(({place, ...one}) => ({...one, ...place}));

type Case = (typeof cases)[number];

function operands({lengths, columns, ...place}: Case) {
	const random = normals(columns + sum(lengths));
	const uniform = uniforms(sum(lengths));
	const tables = () => ({
		tokens: randomMatrix(vocabulary, columns, random),
		positions: randomMatrix(610, columns, random),
		types: randomMatrix(2, columns, random),
	});
	const ids = Array.from({length: sum(lengths)}, () => Math.floor(vocabulary * uniform()));
	return {
		texts: {ids: Int32Array.from(ids), offsets: offsetsOf(lengths), ...place},
		tables: tables(),
		before: tables(),
		dx: randomMatrix(sum(lengths), columns, random),
	};
}

type Operands = ReturnType<typeof operands>;

async function forward(device: NativeDevice, {texts, dx}: Operands, tables: object) {
	const x = blank(dx.rows, dx.columns);
	return (await runOp(device, 'embedForward', {...texts, ...tables}, {x})).x;
}

function backward(device: NativeDevice, {texts, dx, before}: Operands) {
	const {tokens: dtokens, positions: dpositions, types: dtypes} = before;
	return runOp(device, 'embedBackward', {...texts, dx}, {dtokens, dpositions, dtypes});
}

// Sums of floats in a fixed order: there is nothing to tolerate.
onEveryPath('embed', device => {
	test.each(cases)(
		'reads $columns columns for texts of $lengths from position $positionOffset, $scale times, padding $padding',
		async one => {
			const given = operands(one);
			const {tokens} = given.tables;
			for (const tables of [given.tables, {tokens}]) {
				const x = await forward(device, given, tables);
				expectSameBits(x, embedForward(given.texts, tables, Math.fround));
			}
		},
	);

	test.each(cases)(
		'adds $columns columns of texts of $lengths from position $positionOffset, $scale times, padding $padding',
		async one => {
			const given = operands(one);
			const {dtokens, dpositions, dtypes} = await backward(device, given);
			const expected = embedBackward(given.texts, given, Math.fround);
			for (const [kind, table] of [dtokens, dpositions, dtypes].entries()) {
				expectSameBits(table, expected[names[kind]!]);
			}
		},
	);
});

sameBitsEverywhere('an embedding', async device => {
	const given = operands({
		lengths: [129, 64, 1],
		columns: 384,
		positionOffset: 2,
		scale: 0.3,
		padding: 3,
	});
	const gradients = Object.values(await backward(device, given));
	return [await forward(device, given, given.tables), ...gradients];
});
