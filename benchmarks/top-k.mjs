// How many queries a second find their 10 nearest among 500 000 rows of 384?

import {device, peers, rounds, timed} from './rounds.mjs';

const rows = 500_000;
const width = 384;
const k = 10;

export async function measure({threads, seconds, python}) {
	const computing = await device(threads);
	const {native} = computing;
	const filled = (count, seed) => {
		const values = new Float32Array(count * width);
		let state = seed;
		for (let i = 0; i < values.length; i++) {
			state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
			values[i] = ((state >>> 8) % 20001) / 10000 - 1;
		}
		const tensor = native.tensor(count, width, 'f32');
		native.write(tensor, values);
		return tensor;
	};
	const corpus = filled(rows, 1);
	for (const count of [1, 8, 32, 256, 1024]) {
		const queries = filled(count, 2);
		const scores = native.tensor(count, k, 'f32');
		const ids = native.tensor(count, k, 'i32');
		const search = () =>
			timed(async () => {
				native.write(scores, new Float32Array(count * k).fill(Number.NEGATIVE_INFINITY));
				native.write(ids, new Int32Array(count * k).fill(-1));
				native.run('topK', {queries, corpus, base: 0, scores, ids});
				await native.synchronize();
			});
		const others = await peers(python, 'top_k.py', [rows, width, count, k], computing.threads);
		const gflop = (2 * rows * width * count) / 1e9;
		await rounds({
			candidates: [{name: 'inbatch', run: search}, ...others],
			seconds: seconds / 2,
			computing,
			gflop,
			unit: 'queries',
			count,
			title: `top-${k} of ${rows} x ${width}, ${count} queries`,
		});
	}
}
