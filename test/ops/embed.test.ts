// Ids to rows, and their gradient back into the tables.

import {test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	asBf16,
	blank,
	grid,
	type Matrix,
	normals,
	offsetsOf,
	randomMatrix,
	sum,
	uniforms,
} from '../support/matrix.js';
import {embedBackward, embedForward} from '../support/oracle-texts.js';
import {runOp} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

const vocabulary = 40;

const casesOf = (shapes: {lengths: number[][]; columns: number[]}) =>
	grid({
		...shapes,
		place: [
			{positionOffset: 0, scale: 1, padding: -1},
			{positionOffset: 2, scale: 7.25, padding: -1},
			{positionOffset: 2, scale: 1, padding: 3},
		],
	}).map(({place, ...one}) => ({...one, ...place}));

type Case = ReturnType<typeof casesOf>[number];

const onProcessors = casesOf({
	lengths: [[1], [3, 0, 5], [129, 64, 1], [600], [0, 0]],
	columns: [1, 7, 16, 26, 33, 384],
});
/** A block of a card sorts 256 tokens, and has 128 columns of the sums. */
const onCards = casesOf({lengths: [[1], [129, 0, 64, 1], [300], [0, 0]], columns: [1, 33, 130]});

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

type Close = (dtypes: Matrix, expected: Matrix, texts: Operands) => void;

// Sums of floats in a fixed order: there is nothing to tolerate, but where a card has an order of
// its own.
function embed(device: NativeDevice, cases: Case[], expectTypes: Close): void {
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
			expectSameBits(dtokens, expected.tokens);
			expectSameBits(dpositions, expected.positions);
			expectTypes(dtypes, expected.types, given);
		},
	);
}

onEveryPath('embed', device => embed(device, onProcessors, expectSameBits));
onEveryCard('embed', device =>
	embed(device, onCards, (dtypes, _, given) =>
		expectClose(dtypes, round => embedBackward(given.texts, given, round).types),
	),
);

const several = async (device: NativeDevice) => {
	const given = operands({
		lengths: [129, 64, 1],
		columns: 384,
		positionOffset: 2,
		scale: 0.3,
		padding: 3,
	});
	const gradients = Object.values(await backward(device, given));
	return [await forward(device, given, given.tables), ...gradients];
};

sameBitsEverywhere('an embedding', several);
sameBitsOnCards('an embedding', several);

/** Sums of rows of f32 are rounded once; what comes back has 16 bits and is summed in f32. */
onEveryCard('embed in bf16', device => {
	test.each(onCards.slice(3, 9))('reads and adds $columns columns of $lengths', async one => {
		const drawn = operands(one);
		const given = {...drawn, dx: asBf16(drawn.dx)};
		const outputs = {x: asBf16(blank(given.dx.rows, given.dx.columns))};
		const {x} = await runOp(device, 'embedForward', {...given.texts, ...given.tables}, outputs);
		expectSameBits(x, asBf16(embedForward(given.texts, given.tables, Math.fround)));
		const {dtokens, dtypes} = await backward(device, given);
		expectSameBits(dtokens, embedBackward(given.texts, given, Math.fround).tokens);
		expectClose(dtypes, round => embedBackward(given.texts, given, round).types);
	});
});
