// That ids of many rows are told apart exactly, and in flat memory.

import {setTimeout} from 'node:timers/promises';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import {afterEach, describe, expect, test} from 'vitest';
import {DistinctIds} from '../../dist/cli/distinct-ids.js';

const opened: DistinctIds[] = [];
afterEach(() => Promise.all(opened.splice(0).map(ids => ids.close())));

/** Ids `doc-0`, `doc-1`, …, but for those given. */
async function added(count: number, others: Record<number, string> = {}): Promise<DistinctIds> {
	const ids = new DistinctIds('texts.jsonl', 'line');
	opened.push(ids);
	for (let row = 0; row < count; row++) {
		await ids.add(others[row] ?? `doc-${row}`, row, `texts.jsonl:${row + 1}`);
	}
	return ids;
}

describe('two equal ids', () => {
	test('near each other are found at once', async () => {
		await expect(added(1000, {900: 'doc-5'})).rejects.toMatchObject({
			code: 'DATA_ROW',
			message: 'texts.jsonl:901: expected an id of its own, got "doc-5", which line 6 has too',
		});
	});

	test.each([
		[5, 600_000],
		[65_535, 65_536],
		[300_000, 599_999],
	])('in rows %i and %i are found at the end at the latest', async (first, second) => {
		const ids = await added(600_001, {[second]: `doc-${first}`});
		await expect(ids.finish()).rejects.toMatchObject({
			code: 'DATA_ROW',
			message:
				`texts.jsonl: line ${second + 1}: expected an id of its own, ` +
				`got that of line ${first + 1}`,
		});
	});
});

test.each([0, 1, 65_536, 600_000])('%i different ids are well', async count => {
	const ids = await added(count);
	await ids.finish();
});

test('a million ids take no more memory than some thousands', async () => {
	const none = await bytesHeld();
	await added(2 ** 16);
	const some = await bytesHeld();
	await added(2 ** 20);
	const million = await bytesHeld();
	expect(million - some - (some - none)).toBeLessThan(2 ** 18);
});

/** Bytes of array buffers in use. Garbage is none of ours, and a thread beside us frees what is collected. */
async function bytesHeld(): Promise<number> {
	setFlagsFromString('--expose-gc');
	const collect: () => void = runInNewContext('gc');
	for (let round = 0; round < 3; round++) {
		collect();
		await setTimeout(50);
	}

	return process.memoryUsage().arrayBuffers;
}
