// AdamW over 8-bit moments against the oracle: the maps, the codes, and a run beside AdamW.

import {describe, expect, test} from 'vitest';
import type {NativeDevice, Tensor} from '../../dist/native.js';
import {onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {sameBitsEverywhere} from '../support/kernel-paths.js';
import {type Matrix, matrixOf, normals, randomMatrix, zeros} from '../support/matrix.js';
import {type AdamW, adamW, type Moments, mapped} from '../support/oracle.js';
import {
	blockSize,
	type Coded,
	decoded,
	encoded,
	type Moments8,
	maps,
} from '../support/oracle-optimizers.js';
import {newDevice, readMatrix, tensorOf} from '../support/run-op.js';
import {expectClose} from '../support/tolerance.js';

const settings = {rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.1};
const optionsOf = (step: number): AdamW => ({...settings, gradientScale: 1 / step, step});
const sizes = [1, 7, 256, 257, 1000];

function bytes(device: NativeDevice, codes: readonly number[]): Tensor {
	const tensor = device.tensor(1, codes.length, 'u8');
	device.write(tensor, Uint8Array.from(codes));
	return tensor;
}

async function codesOf(device: NativeDevice, tensor: Tensor): Promise<number[]> {
	const codes = new Uint8Array(tensor.columns);
	await device.read(tensor, codes);
	return [...codes];
}

const rowOf = (values: readonly number[]) => matrixOf(1, values.length, at => values[at]!);

async function step(
	device: NativeDevice,
	{weight, first, second}: Moments8,
	gradient: Matrix,
	options: AdamW,
): Promise<Moments8> {
	const codes = {first: bytes(device, first.codes), second: bytes(device, second.codes)};
	const scales = {
		firstScale: tensorOf(device, rowOf(first.scales)),
		secondScale: tensorOf(device, rowOf(second.scales)),
	};
	const moved = tensorOf(device, weight);
	const fields = {...options, ...codes, ...scales, gradient: tensorOf(device, gradient)};
	device.run('adamW8', {...fields, weight: moved});
	const [one, two] = [await codesOf(device, codes.first), await codesOf(device, codes.second)];
	const scaleOf = async (tensor: Tensor) => [...(await readMatrix(device, tensor)).values];
	return {
		weight: await readMatrix(device, moved),
		first: {codes: one, scales: await scaleOf(scales.firstScale)},
		second: {codes: two, scales: await scaleOf(scales.secondScale)},
	};
}

const nothing = (size: number): Coded => ({
	codes: Array.from({length: size}, () => 0),
	scales: Array.from({length: Math.ceil(size / blockSize)}, () => 0),
});

function start(size: number): Moments8 {
	const weight = randomMatrix(1, size, normals(size));
	return {weight, first: nothing(size), second: nothing(size)};
}

test('the maps have 256 rising values, 0 among them and 1 at the end', () => {
	for (const map of Object.values(maps)) {
		expect(map).toHaveLength(256);
		expect(new Set(map).size).toBe(256);
	}
	expect([maps.first[127], maps.first[255], maps.second[0], maps.second[255]]).toEqual([
		0, 1, 0, 1,
	]);
});

onEveryDevice('adamW8', device => {
	test.each(sizes)('takes each of three steps over %d weights from what it left', async size => {
		const random = normals(size + 1);
		let state = start(size);
		for (const number of [1, 2, 3]) {
			const gradient = randomMatrix(1, size, random);
			const before = state;
			state = await step(device, before, gradient, optionsOf(number));
			const moments = {
				weight: before.weight,
				first: decoded(before.first, maps.first),
				second: decoded(before.second, maps.second),
			};
			expectClose(state.weight, round => adamW(moments, gradient, optionsOf(number), round).weight);
			const next = adamW(moments, gradient, optionsOf(number));
			for (const part of ['first', 'second'] as const) {
				const scales = encoded(next[part], maps[part]).scales;
				expectClose(rowOf(state[part].scales), () => rowOf(scales), {
					scale: 4 * Math.max(...scales),
				});
				expectNearest(state[part], next[part], maps[part]);
			}
		}
	});

	test('holds the nearest value of the map wherever it lies', async () => {
		const points = maps.first.flatMap((value, n) => {
			const gap = (maps.first[n + 1] ?? value) - value;
			return [0, 0.49, 0.51].map(share => Math.fround(value + share * gap));
		});
		// Each block ends in 1, so that its scale is 1 and nothing is rounded.
		const blocks = Math.ceil(points.length / (blockSize - 1));
		const gradient = matrixOf(1, blocks * blockSize, at => {
			const place = at % blockSize;
			const point = points[Math.floor(at / blockSize) * (blockSize - 1) + place];
			return place === blockSize - 1 ? 1 : (point ?? 0);
		});
		const options = {...settings, beta1: 0, beta2: 0, gradientScale: 1, step: 1};
		const after = await step(device, start(gradient.columns), gradient, options);
		expect(after.first).toEqual(encoded(gradient, maps.first));
		const squares = mapped(gradient, value => Math.fround(value * value));
		expectNearest(after.second, squares, maps.second);
	});

	test('a block of zeros stays one, and moves nothing', async () => {
		const state = start(300);
		const gradient = matrixOf(1, 300, at => (at < blockSize ? 0 : 1));
		const after = await step(device, state, gradient, {...optionsOf(1), decay: 0});
		expect(after.first.scales[0]).toBe(0);
		expect([...after.weight.values.slice(0, blockSize)]).toEqual([
			...state.weight.values.slice(0, blockSize),
		]);
	});

	test('moments beyond float32 are held as its largest', async () => {
		const state = start(4);
		const gradient = matrixOf(1, 4, at => [1e30, -1e30, 1, 0][at]!);
		const after = await step(device, state, gradient, {...optionsOf(1), decay: 0});
		expect(after.second.scales).toEqual([3.4028234663852886e38]);
		expect(after.second.codes).toEqual([255, 255, 0, 0]);
		expect(after.weight.values.every(Number.isFinite)).toBe(true);
	});
});

/** Each code is of a value as near as the nearest, but for the rounding of what was encoded. */
function expectNearest({codes, scales}: Coded, exact: Matrix, map: readonly number[]): void {
	for (const [at, x] of exact.values.entries()) {
		const share = x / scales[Math.floor(at / blockSize)]!;
		const nearest = map.reduce((least, value) => Math.min(least, Math.abs(share - value)), 2);
		expect(Math.abs(share - map[codes[at]!]!)).toBeLessThanOrEqual(nearest + 1e-6);
	}
}

describe('a run of a hundred steps', () => {
	const size = 2048;
	const target = randomMatrix(1, size, normals(5));
	const gradientAt = ({values}: Matrix, noise: () => number) =>
		matrixOf(1, size, at => values[at]! - target.values[at]! + 0.1 * noise());
	const distance = (a: Matrix, b: Matrix) =>
		Math.hypot(...a.values.map((value, at) => value - b.values[at]!));

	test('stays near AdamW, a twentieth of the way that it went', async () => {
		const device = newDevice();
		const weight = zeros(1, size);
		let plain: Moments = {weight, first: zeros(1, size), second: zeros(1, size)};
		let coded: Moments8 = {weight, first: nothing(size), second: nothing(size)};
		const [one, two] = [normals(9), normals(9)];
		for (let n = 1; n <= 100; n++) {
			const options = {...optionsOf(n), gradientScale: 1, decay: 0};
			plain = adamW(plain, gradientAt(plain.weight, one), options);
			coded = await step(device, coded, gradientAt(coded.weight, two), options);
		}
		const way = distance(plain.weight, weight);
		expect(way).toBeGreaterThan(10);
		expect(distance(coded.weight, plain.weight)).toBeLessThan(way / 20);
	});
});

const twoSteps = (size: number) => async (device: NativeDevice) => {
	let state = start(size);
	for (const number of [1, 2]) {
		state = await step(device, state, randomMatrix(1, size, normals(number)), optionsOf(number));
	}
	const {weight, first, second} = state;
	return [weight, ...[first, second].flatMap(({codes, scales}) => [rowOf(codes), rowOf(scales)])];
};

sameBitsEverywhere('an update of 8-bit moments', twoSteps(70_001));
sameBitsOnCards('an update of 8-bit moments', twoSteps(10_001));
