// Several widths of the contrastive softmax in one pass, held to one width after the other on the same
// columns alone.

import {expect, test} from 'vitest';
import type {NativeDevice, Tensor} from '../../dist/native.js';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {grid, type Matrix, matrixOf, normals, randomMatrix} from '../support/matrix.js';
import {integers, newDevice, readMatrix, tensorOf} from '../support/run-op.js';
import {expectClose, expectSameBits} from '../support/tolerance.js';

type Given = {
	rows: Matrix;
	columns: Matrix;
	widths: readonly number[];
	scaled: boolean;
	short?: boolean;
	/** A row meets its own columns alone, so that tiles are without candidates. */
	alone?: boolean;
};

function drawn(count: number, widths: readonly number[], scaled: boolean): Given {
	const random = normals(count + widths.length);
	const width = widths.at(-1)!;
	return {
		rows: randomMatrix(count, width, random, 0.3),
		columns: randomMatrix(count + 40, width, random),
		widths,
		scaled,
	};
}

const leading = ({rows, columns, values}: Matrix, width: number) =>
	matrixOf(rows, width, at => values[Math.floor(at / width) * columns + (at % width)]!);
const column = ({rows, columns, values}: Matrix, n: number) =>
	matrixOf(rows, 1, row => values[row * columns + n]!);

/** Forward and backward; each row belongs to the column of its number, others are hard negatives. */
async function computed(device: NativeDevice, given: Given) {
	const {rows, columns, widths, scaled, short = false, alone = false} = given;
	const each = widths.length;
	const empty = (height: number, width: number) => device.tensor(height, width, 'f32');
	const nested = each > 1 ? integers(device, Int32Array.from(widths)) : undefined;
	const scale = (x: Tensor) => {
		const inverse = empty(x.rows, each);
		device.run('rowNorms', {x, ...(nested && {widths: nested}), inverse});
		return inverse;
	};
	const [left, right] = [tensorOf(device, rows), tensorOf(device, columns)];
	const operands = {
		...{rows: left, columns: right, ...(nested && {widths: nested})},
		...(scaled && {rowScale: scale(left), columnScale: scale(right)}),
		temperature: tensorOf(
			device,
			matrixOf(1, 1, () => 0.5),
		),
		owner: integers(
			device,
			Int32Array.from({length: columns.rows}, (_, n) => n % rows.rows),
		),
		positives: rows.rows,
		shortProducts: short,
		...(alone && {others: false, otherHard: false}),
	};
	const [lse, mean, count] = [each, each, 1].map(width => empty(rows.rows, width));
	device.run('contrastForward', {...operands, lse, mean, count});
	const random = normals(7);
	const dlse = randomMatrix(rows.rows, 1, random);
	const spread = matrixOf(rows.rows, each, at => dlse.values[Math.floor(at / each)]!);
	const [drows, dcolumns, dtemperature] = [rows, columns, {rows: 1, columns: 1}].map(x =>
		empty(x.rows, x.columns),
	);
	const passed = {...operands, lse, count, dlse: tensorOf(device, spread)};
	device.run('contrastBackward', {...passed, drows, dcolumns, dtemperature});
	const read = (tensor: Tensor | undefined) => readMatrix(device, tensor!);
	return {
		lse: await read(lse),
		mean: await read(mean),
		drows: await read(drows),
		dcolumns: await read(dcolumns),
		dtemperature: await read(dtemperature),
	};
}

/** The gradients of each width, added up where their columns are. */
function added(parts: readonly Matrix[], width: number): Matrix {
	return matrixOf(parts[0]!.rows, width, at => {
		const [row, place] = [Math.floor(at / width), at % width];
		const values = parts.map(({columns, values}) =>
			place < columns ? values[row * columns + place]! : 0,
		);
		return values.reduce((a, b) => a + b, 0);
	});
}

const shapes = grid({
	count: [1, 7, 130],
	widths: [
		[16, 48],
		[16, 32, 64, 101],
	],
	scaled: [false, true],
});

type Shape = (typeof shapes)[number] & Pick<Given, 'short' | 'alone'> & {share?: number};

/** share: how far gradients may be apart. */
const severalWidths = (cases: readonly Shape[]) => (device: NativeDevice) => {
	test.each(cases)(
		'of $widths over $count rows are those of each',
		async ({count, widths, scaled, share = 2 ** -17, ...choice}) => {
			const given = {...drawn(count, widths, scaled), ...choice};
			const {rows, columns} = given;
			const together = await computed(device, given);
			const each = [];
			for (const width of widths) {
				const cut = {rows: leading(rows, width), columns: leading(columns, width)};
				each.push(await computed(device, {...cut, widths: [width], scaled, ...choice}));
			}
			for (const [n, {lse, mean}] of each.entries()) {
				const same = scaled
					? (a: Matrix, b: Matrix) =>
							expectClose(a, round => matrixOf(b.rows, 1, at => round(b.values[at]!)), {scale: 8})
					: expectSameBits;
				same(column(together.lse, n), lse);
				same(column(together.mean, n), mean);
			}
			for (const name of ['drows', 'dcolumns', 'dtemperature'] as const) {
				const sum = added(
					each.map(one => one[name]),
					together[name].columns,
				);
				const size = Math.hypot(...sum.values);
				const apart = Math.hypot(...sum.values.map((x, at) => x - together[name].values[at]!));
				expect(apart, name).toBeLessThanOrEqual(share * Math.max(size, 1));
			}
		},
	);
};

// A whole tile of rows and a part of one.
const fewShapes = shapes
	.map(shape => ({...shape, count: Math.min(shape.count, 70)}))
	.filter(({count, widths, scaled}) => count > 7 || (scaled && widths.length > 2));
const alone = {count: 70, widths: [16, 48], scaled: true, alone: true};

onEveryPath('several widths', severalWidths([...shapes, alone]));
onEveryCard('several widths', severalWidths([...fewShapes, alone]));
onEveryCard(
	'several widths by products of 16 bits',
	severalWidths(fewShapes.map(shape => ({...shape, short: true, share: 2 ** -7}))),
);

const several = (count: number) => async (device: NativeDevice) => {
	const found = await computed(device, drawn(count, [16, 64, 101], true));
	const {lse, mean, drows, dcolumns, dtemperature} = found;
	return [lse, mean, drows, dcolumns, dtemperature];
};

sameBitsEverywhere('several widths', several(300));
sameBitsOnCards('several widths', several(70));

test('several widths are refused with limits', () => {
	const device = newDevice();
	const x = tensorOf(
		device,
		matrixOf(2, 32, () => 1),
	);
	const call = () =>
		device.run('contrastForward', {
			...{rows: x, columns: x, widths: integers(device, Int32Array.of(16, 32))},
			temperature: tensorOf(
				device,
				matrixOf(1, 1, () => 1),
			),
			owner: integers(device, Int32Array.of(0, 1)),
			limit: tensorOf(
				device,
				matrixOf(2, 1, () => 1),
			),
			lse: device.tensor(2, 2, 'f32'),
			count: device.tensor(2, 1, 'f32'),
		});
	expect(call).toThrow('expected no limit and no guide with several widths');
});
