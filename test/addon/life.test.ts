// Workers and processes that end while native work runs, and memory that must come back.

import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import {expect, test} from 'vitest';
import {native} from '../../dist/native.js';
import {runNode} from './children.js';
import {batchOf, encode, tinyModel} from './tiny-model.mjs';

const peaceful = {code: 0, signal: null, errors: ''};

test('twenty workers terminated in the middle of work leave the process whole', async () => {
	const ended = await runNode(['terminate.mjs']);
	expect(ended).toEqual({...peaceful, output: 'alive\n'});
});

test.each(['0', '1', '20', '100'])(
	'process.exit %s ms into queued work exits with 0 and says nothing',
	async delay => {
		const ended = await runNode(['exit.mjs', delay]);
		expect(ended).toEqual({...peaceful, output: ''});
	},
);

test.each([
	[2, 2],
	[1, 3],
])(
	'two workers at once, of %i and %i threads, encode to the bits of one alone',
	async (...pair) => {
		const model = await tinyModel(new (native().Device)(2));
		const alone = await encode(model, batchOf(40));
		await model.dispose();
		const others = pair.map(async threads => {
			const url = new URL('encoding-worker.mjs', import.meta.url);
			const [embeddings] = await once(new Worker(url, {workerData: {threads}}), 'message');
			return embeddings;
		});
		expect(await Promise.all(others)).toEqual([alone, alone]);
	},
);

test('fifty models loaded and disposed in turn do not grow the process by two of them', async () => {
	const ended = await runNode(['load-and-dispose.mjs']);
	expect(ended).toMatchObject(peaceful);
	expect(Number(ended.output)).toBeLessThan(2 * 65536 * 64 * 4);
});
