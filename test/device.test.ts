// What `auto` says of cards that it leaves alone.

import {afterEach, expect, test, vi} from 'vitest';
import {openDevice} from '../dist/device.js';
import {type NativeCards, native} from '../dist/native.js';

afterEach(() => {
	vi.restoreAllMocks();
});

/** What is said where these cards are found. */
async function warningsOf(device: string, cards: NativeCards): Promise<readonly string[]> {
	vi.spyOn(native(), 'cards').mockReturnValue(cards);
	return (await openDevice({device, threads: 1})).warnings;
}

const card = {name: 'old card', capability: 7.5, memoryBytes: 2 ** 30};
const reason = 'expected compute capability 8.0 or newer, got 7.5';
const left = "device 'auto' computes on the cpu, no card can be used:";

test('names every card that is refused', async () => {
	const list = [
		{...card, reason},
		{...card, reason: 'unknown error'},
	];
	expect(await warningsOf('auto', {list, absent: false})).toEqual([
		`${left} cuda:0 (old card): ${reason}; cuda:1 (old card): unknown error`,
	]);
});

test('says when the driver is too old', async () => {
	const old = 'expected a driver for CUDA 13.0 or newer, got one for CUDA 12.8';
	const cards = {list: [], absent: false, reason: old};
	expect(await warningsOf('auto', cards)).toEqual([`${left} ${old}`]);
});

test.each<[string, string, NativeCards]>([
	['there is no driver', 'auto', {list: [], absent: true, reason: 'found none'}],
	['there is no card', 'auto', {list: [], absent: true, reason: 'found none'}],
	['the cpu is asked for', 'cpu', {list: [{...card, reason}], absent: false}],
])('says nothing where %s', async (_, device, cards) => {
	expect(await warningsOf(device, cards)).toEqual([]);
});
