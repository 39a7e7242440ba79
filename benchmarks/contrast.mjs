// What does InfoNCE over all documents of a batch cost, forward and backward, and how much memory does it
// take, beside PyTorch, which holds the matrix of scores? Five products of rows x rows x width would do;
// ours are four, as scores are computed again in backward but once for both gradients.

import {Tape} from '../dist/autograd/tape.js';
import {infoNce} from '../dist/loss/infonce.js';
import {applyLoss} from '../dist/loss/loss.js';
import {peaks} from './memory.mjs';
import {device, peers, rounds, timed} from './rounds.mjs';

const sizes = [
	[4096, 384],
	[4096, 768],
	[16384, 384],
	[16384, 768],
];

export async function measure({threads, seconds, python}) {
	const computing = await device(threads);
	for (const [rows, width] of sizes) {
		const others = await peers(python, 'contrast.py', [rows, width], computing.threads);
		await rounds({
			candidates: [{name: 'inbatch', run: () => once(computing, rows, width)}, ...others],
			seconds,
			computing,
			gflop: (8 * rows * rows * width) / 1e9,
			unit: 'batches',
			count: 1,
			title: `InfoNCE of ${rows} x ${width}, forward and backward`,
		});
		await peaks(`contrast ${rows} ${width}`, {python, threads: computing.threads});
	}
}

/** Seconds of forward and backward; as with the peer, the embeddings are there and gradients stay. */
export async function once({native, dtype}, rows, width) {
	const tape = Tape.on({native, dtype});
	const columns = [1, 2].map(seed => {
		const {tensor} = tape.constant(vectors(rows * width, seed), {rows, columns: width});
		return tape.variable(tensor);
	});
	await native.synchronize();
	const seconds = await timed(async () => {
		tape.backward(applyLoss(tape, infoNce(), {columns, parameters: {}}));
		await native.synchronize();
	});
	tape.dispose();
	return seconds;
}

const made = new Map();

function vectors(size, seed) {
	const key = `${size} ${seed}`;
	if (!made.has(key)) {
		let state = seed;
		const next = () => {
			state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
			return ((state >>> 8) % 20001) / 10000 - 1;
		};
		made.set(key, Float32Array.from({length: size}, next));
	}
	return made.get(key);
}
