// The weighted mean of the rows of several layers, layer by layer, and what comes back to each layer and
// to the weights.

import {test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {centralGradients, expectGradients} from '../support/differences.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	largest,
	type Matrix,
	matrixOf,
	normals,
	offsetsOf,
	randomMatrix,
	sum,
} from '../support/matrix.js';
import {runOp} from '../support/run-op.js';
import {expectClose, type Round} from '../support/tolerance.js';

const lengths = [3, 0, 130, 5];
const [rows, columns] = [sum(lengths), 37];
const random = normals(5);
const layers = [0, 1, 2].map(() => randomMatrix(rows, columns, random));
const weights = randomMatrix(1, layers.length, () => 1 + random() / 4);
const dy = randomMatrix(rows, columns, random);

const shareOf = (of: Matrix, layer: number, round: Round) =>
	round(of.values[layer]! / sum([...of.values]));

function mean(of: Matrix, round: Round): Matrix {
	return matrixOf(rows, columns, at =>
		layers.reduce(
			(total, x, layer) => round(total + round(x.values[at]! * shareOf(of, layer, round))),
			0,
		),
	);
}

const dotsOf = (round: Round) =>
	matrixOf(rows, layers.length, at => {
		const first = Math.floor(at / layers.length) * columns;
		const x = layers[at % layers.length]!;
		let dot = 0;
		for (let j = first; j < first + columns; j += 1)
			dot = round(dot + dy.values[j]! * x.values[j]!);
		return dot;
	});

async function forward(device: NativeDevice): Promise<Matrix> {
	let y = blank(rows, columns);
	for (const [layer, x] of layers.entries()) {
		({y} = await runOp(device, 'layerMeanForward', {layer, add: layer > 0, x, weights}, {y}));
	}
	return y;
}

/** dx of the last layer is added to `before`. */
async function backward(device: NativeDevice, before: Matrix) {
	const gradients: Matrix[] = [];
	let dots = blank(rows, layers.length);
	for (const [layer, x] of layers.entries()) {
		const add = layer + 1 === layers.length;
		const outputs = {dx: add ? before : blank(rows, columns), dots};
		const given = {layer, add, x, weights, dy};
		const found = await runOp(device, 'layerMeanBackward', given, outputs);
		gradients.push(found.dx);
		dots = found.dots;
	}
	return {gradients, dots};
}

async function ofWeights(device: NativeDevice, dots: Matrix, before: Matrix): Promise<Matrix> {
	const given = {dots, weights, offsets: offsetsOf(lengths)};
	return (await runOp(device, 'layerMeanWeights', given, {dweights: before})).dweights;
}

onEveryDevice('a mean of layers', device => {
	test('adds each layer by its share of the weights', async () => {
		expectClose(await forward(device), round => mean(weights, round));
	});

	test('gives each layer its share of the gradient, added where it is told to', async () => {
		const before = randomMatrix(rows, columns, random);
		const {gradients} = await backward(device, before);
		for (const [layer, dx] of gradients.entries()) {
			const isAdded = layer + 1 === layers.length;
			expectClose(dx, round =>
				matrixOf(rows, columns, at => {
					const slope = round(dy.values[at]! * shareOf(weights, layer, round));
					return isAdded ? round(before.values[at]! + slope) : slope;
				}),
			);
		}
	});

	test('keeps for each row what its layers have of the gradient', async () => {
		const scale = largest(dy) * largest(layers[0]!) * Math.sqrt(columns);
		expectClose((await backward(device, blank(rows, columns))).dots, dotsOf, {scale});
	});

	test('follows the differences of the weights, from what is there', async () => {
		const before = randomMatrix(1, layers.length, random);
		const weighted = ([of]: readonly Matrix[]) =>
			sum([...mean(of!, x => x).values].map((value, at) => value * dy.values[at]!));
		const [slope] = centralGradients(weighted, [weights]);
		const expected = matrixOf(1, layers.length, at => before.values[at]! + slope!.values[at]!);
		const dots = dotsOf(Math.fround);
		const found = await ofWeights(device, dots, before);
		expectGradients([found], [expected], largest(dots));
	});
});

const everything = async (device: NativeDevice) => {
	const {gradients, dots} = await backward(device, dy);
	return [await forward(device), ...gradients, dots, await ofWeights(device, dots, weights)];
};

sameBitsEverywhere('a mean of layers', everything);
sameBitsOnCards('a mean of layers', everything);
