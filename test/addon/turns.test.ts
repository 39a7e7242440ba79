// Who has the device when: calls and the devices as JavaScript holds them take turns.

import {expect, test} from 'vitest';
import {native} from '../../dist/native.js';
import {batchOf, encode, overload, tinyModel, width} from './tiny-model.mjs';

const {Device, Canceller} = native();

/** The names of promises in the order in which they are fulfilled. */
async function orderOf(named: Record<string, Promise<unknown>>): Promise<string[]> {
	const order: string[] = [];
	const noted = Object.entries(named).map(([name, promise]) =>
		promise.then(() => order.push(name)),
	);
	await Promise.all(noted);
	return order;
}

async function loaded() {
	const device = new Device(1);
	return {device, model: await tinyModel(device)};
}

test('a small call comes before the rest of a large one that was queued earlier', async () => {
	const {model} = await loaded();
	const canceller = new Canceller();
	const part = (texts: number) => {
		const embeddings = new Float32Array(texts * width);
		return model.encode(batchOf(texts), {}, embeddings, canceller);
	};
	const [first, second, third] = [part(2000), part(200), part(200)];
	const small = encode(model, batchOf(1));
	const order = await orderOf({first, second, third, small});
	expect(order).toEqual(['small', 'first', 'second', 'third']);
});

test('an encoding does not wait for the training that another device has queued', async () => {
	const [training, encoding] = [await loaded(), await loaded()];
	await training.model.prepareTraining([]);
	overload(training.device, training.model, 40);
	const trained = training.device.synchronize();
	const encoded = encode(encoding.model, batchOf(4));
	expect(await orderOf({trained, encoded})).toEqual(['encoded', 'trained']);
});

test('work of one device keeps its order, whoever waits', async () => {
	const [busy, {device, model}] = [await loaded(), await loaded()];
	await busy.model.prepareTraining([]);
	overload(busy.device, busy.model, 10);
	const name = 'embedding.norm.weight';
	const before = await encode(model, batchOf(4));
	const old = encode(model, batchOf(4));
	model.write('weight', name, 0, new Float32Array(width).fill(2));
	const changed = encode(model, batchOf(4));
	await device.synchronize();
	expect(await old).toEqual(before);
	expect(await changed).not.toEqual(before);
});

test('what fails in one device is not told to another', async () => {
	const [{device}, {device: other}] = [await loaded(), await loaded()];
	const x = device.tensor(2, 2, 'f32');
	const columns = device.tensor(1, 2, 'i32');
	device.write(columns, Int32Array.of(0, 9));
	device.run('pickForward', {x, columns, y: device.tensor(2, 1, 'f32')});
	await other.synchronize();
	await expect(device.synchronize()).rejects.toMatchObject({code: 'OP_INVALID'});
	await device.synchronize();
});
