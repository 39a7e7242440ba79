// The order in which a card begins the texts that attention works on.

import {expect, test} from 'vitest';
import type {NativeDevice} from '../../dist/native.js';
import {onEveryDevice} from '../support/cards.js';
import {normals, offsetsOf, sum} from '../support/matrix.js';
import {integers, newDevice} from '../support/run-op.js';

const run = 128;

async function orderOf(device: NativeDevice, lengths: readonly number[]) {
	const [tokens, most] = [sum(lengths), Math.floor(sum(lengths) / run) + lengths.length];
	const order = device.tensor(2, most, 'i32');
	device.write(order, new Int32Array(2 * most).fill(7)); // as an earlier batch leaves it
	device.run('attentionOrder', {tokens, offsets: integers(device, offsetsOf(lengths)), order});
	const found = new Int32Array(2 * most);
	await device.read(order, found);
	return found;
}

/** Of each text its runs from the last back, the longest texts first. */
function plainOrder(lengths: readonly number[]): Int32Array {
	const texts = lengths.map((_, text) => text).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
	const runs = texts.flatMap(text => {
		const count = Math.ceil(lengths[text]! / run);
		return Array.from({length: count}, (_, i) => [text, (count - 1 - i) * run] as const);
	});
	const most = Math.floor(sum(lengths) / run) + lengths.length;
	const order = new Int32Array(2 * most).fill(-1);
	for (const [at, [text, first]] of runs.entries()) {
		order[at] = text;
		order[most + at] = first;
	}
	return order;
}

const random = normals(7);
const many = Array.from({length: 300}, () => Math.floor(Math.abs(random()) * 200));

onEveryDevice('the order of texts', device => {
	test.each([
		['none', []],
		['one', [5]],
		['no tokens', [0, 0, 0]],
		['whole runs', [128, 256, 129, 128]],
		['as long as others', [3, 0, 700, 3, 127, 700]],
		['more than a block has threads', many],
	])('is by length: %s', async (_, lengths) => {
		expect(await orderOf(device, lengths)).toEqual(plainOrder(lengths));
	});
});

test('an order of another size is refused', () => {
	const device = newDevice();
	const offsets = integers(device, offsetsOf([200, 5]));
	const order = device.tensor(2, 2, 'i32');
	expect(() => device.run('attentionOrder', {tokens: 205, offsets, order})).toThrow(
		'attentionOrder: expected order of 3 columns, got 2',
	);
});
