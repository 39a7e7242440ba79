// Workers and processes that end while native work runs, and memory that must come back.

import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import {describe, expect, test} from 'vitest';
import {native} from '../../dist/native.js';
import {runNode} from './children.js';
import {batchOf, encode, tinyModel} from './tiny-model.mjs';

const exitUrl = new URL('exit-undisposed.mjs', import.meta.url).href;
const peaceful = {code: 0, signal: null, errors: ''};

test('sixty workers ended in the middle of encoding, training, loading or tokenizing leave the process whole', async () => {
	const ended = await runNode(['terminate.mjs']);
	expect(ended).toEqual({...peaceful, output: 'alive\n'});
}, 600_000);

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

describe('a process that never disposes of its model', () => {
	test('ends by itself, at once', async () => {
		const begun = performance.now();
		const source = `await import(${JSON.stringify(exitUrl)}); console.log(performance.now())`;
		const ended = await runNode(['--input-type=module', '--eval', source]);
		const [width, said] = ended.output.trim().split('\n').map(Number);
		expect({...ended, output: width}).toEqual({...peaceful, output: 384});
		// Not much later than its last line: it does not wait for anything.
		expect(performance.now() - begun).toBeLessThan(3 * said! + 1000);
	});

	test('ends by itself when the work that is under way is done', async () => {
		const ended = await runNode(['exit-undisposed.mjs', 'busy']);
		expect(ended).toEqual({...peaceful, output: '384\n300\n'});
	});

	test.each(['0', '5', '50'])('may leave %s ms into an encode', async delay => {
		const ended = await runNode(['exit-undisposed.mjs', 'busy', delay]);
		expect(ended).toEqual({...peaceful, output: '384\n'});
	});
});

test('a hundred models loaded, used and disposed in turn do not grow the process by half of one', async () => {
	// A nursery that V8 widens on the way is no growth of ours.
	const flags = ['--expose-gc', '--max-semi-space-size=1'];
	const ended = await runNode([...flags, 'load-and-dispose.mjs']);
	expect(ended).toMatchObject(peaceful);
	const [growth, size] = ended.output.trim().split(' ').map(Number);
	expect(growth).toBeLessThan(size! / 2);
}, 600_000);

test('the kernels of a CPU without AVX2 give the same bits each time, and are named', async () => {
	const runs = await Promise.all(
		[1, 2, 3].map(() => runNode(['baseline.mjs'], {INBATCH_KERNELS: 'baseline'})),
	);
	const outputs = runs.map(({output}) => output);
	expect(runs[0]).toMatchObject(peaceful);
	expect(JSON.parse(outputs[0]!)).toMatchObject({kernels: 'baseline', isUnit: true, isSame: true});
	expect(outputs).toEqual([outputs[0], outputs[0], outputs[0]]);
});
