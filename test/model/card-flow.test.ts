// The flow of batches over a card: several under way at a time, each with its own results, copies in
// pieces, memory taken once, and faults told to all whose work they take with them.

import {beforeAll, describe, expect, test, vi} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {cards} from '../support/cards.js';
import {isEmulating} from '../support/emulated.js';
import type {Matrix} from '../support/matrix.js';
import type {Batch} from '../support/model64.js';
import {tensorOf} from '../support/run-op.js';
import {
	batchOf,
	encode,
	layerNorm,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';

// Slots of 1 KB, so that what is copied takes several. Said before cards are looked for.
vi.hoisted(() => {
	process.env.EMULATOR_MEMORY = String(2 ** 22);
});

const spec = specOf({
	...{width: 24, heads: 2, bias: true, activation: 'gelu'},
	norms: {after: layerNorm},
});
const batches = [[3, 1], [17, 0, 9], [2], [40, 30], [5, 5, 5], [1]].map(batchOf);
const large = batchOf(Array.from({length: 90}, (_, text) => 1 + (text % 5)));

async function trainOn(model: TinyModel, batch: Batch, gradient: Matrix, step: number) {
	const {core, device} = model;
	const [embeddings, slope] = [gradient, gradient].map(each => tensorOf(device, each));
	core.zeroGradients();
	core.forward(batch, {seed: 1, step, hidden: 0, attention: 0, keep: true}, embeddings!);
	core.backward(slope!);
	const rates = {rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0, clip: 1};
	await core.update({...rates, step}, []);
	for (const tensor of [embeddings, slope]) tensor!.dispose();
}

describe.each(cards)('on $name', ({open}) => {
	let device: NativeDevice;
	let model: TinyModel;
	beforeAll(async () => {
		device = open();
		model = await tinyModel(spec, device);
	});

	test('gives each batch its own rows, however many are under way', async () => {
		const together = await Promise.all(batches.map(batch => encode(model, batch)));
		for (const [n, batch] of batches.entries()) {
			expect(together[n]).toEqual(await encode(model, batch));
		}
	});

	test('brings back results that take many slots, beside others', async () => {
		const [one, ...others] = await Promise.all(
			[large, batches[1]!, large].map(each => encode(model, each)),
		);
		expect(others[1]).toEqual(one);
		expect(others[0]).toEqual(await encode(model, batches[1]!));
	});

	test('copies what is larger than both rings, there and back', async () => {
		const values = Float32Array.from({length: 40_000}, (_, index) => index);
		const tensor = device.tensor(1, values.length, 'f32');
		device.write(tensor, values);
		const back = new Float32Array(values.length);
		await device.read(tensor, back);
		tensor.dispose();
		expect(back).toEqual(values);
	});

	test('takes no memory for an equal encoding or an equal step of training', async () => {
		const gradient = await encode(model, batches[1]!);
		const round = async (step: number) => {
			await Promise.all(batches.map(batch => encode(model, batch)));
			await trainOn(model, batches[1]!, gradient, step);
		};
		await round(1);
		await round(2);
		const {allocations, bytes} = device.statistics();
		await round(3);
		expect(device.statistics()).toMatchObject({allocations, bytes});
	});

	// Work that was begun later is not touched by it.
	test.skipIf(!isEmulating)('tells a fault to all whose work it takes with it', async () => {
		const expected = await Promise.all(batches.map(batch => encode(model, batch)));
		const [unwritten, y] = [device.tensor(1, 4, 'f32'), device.tensor(1, 4, 'f32')];
		device.run('add', {a: unwritten, b: unwritten, y});
		const said: string[] = [];
		const taken = batches.map((batch, n) =>
			encode(model, batch).catch((error: Error) => {
				said.push(error.message);
				return expected[n];
			}),
		);
		expect(await Promise.all(taken)).toEqual(expected);
		expect(said.join('')).toMatch(/unwritten bytes/);
		expect(said.every(message => message === said[0])).toBe(true);
	});
});
