// What does attention cost, forward and backward, by the length of the texts?

import {device, peers, rounds, timed} from './rounds.mjs';

const heads = 12;
const tokens = 4096;

export async function measure({threads, seconds, python}) {
	const computing = await device(threads);
	const {native} = computing;
	for (const width of [32, 64]) {
		for (const length of [32, 128, 512, 2048]) {
			const made = tensorsOf(native, {width, length});
			const repeat = Math.max(1, Math.round(512 / length));
			const fields = {...made.forward, heads, keyHeads: heads, width, scale: width ** -0.5};
			const times = (op, more) => () =>
				timed(async () => {
					for (let n = 0; n < repeat; n++) native.run(op, {...fields, ...more});
					await native.synchronize();
				});
			const others = await peers(
				python,
				'attention.py',
				[heads, width, length, tokens, repeat],
				computing.threads,
			);
			const gflop = (repeat * 4 * tokens * length * heads * width) / 1e9;
			const directions = [
				['forward', 'attentionForward', {}, gflop],
				['backward', 'attentionBackward', made.backward, 2.5 * gflop],
			];
			for (const [n, [name, op, more, work]] of directions.entries()) {
				await rounds({
					candidates: [
						{name: 'inbatch', run: times(op, more)},
						...others.slice(n, n + 1).map(({name: peer, run}) => ({name: peer, run})),
					],
					seconds: seconds / 8,
					computing,
					gflop: work,
					unit: 'calls',
					count: repeat,
					title: `attention ${name}, ${tokens / length} texts of ${length} tokens, ${heads} heads of ${width}`,
				});
			}
			for (const {close} of others) close();
		}
	}
}

function tensorsOf(native, {width, length}) {
	const filled = columns => {
		const tensor = native.tensor(tokens, columns, 'f32');
		const values = Float32Array.from(
			{length: tokens * columns},
			(_, i) => ((i * 7919) % 2001) / 1000 - 1,
		);
		native.write(tensor, values);
		return tensor;
	};
	const [qkv, o, dout, dqkv] = [3, 1, 1, 3].map(many => filled(many * heads * width));
	const lse = native.tensor(tokens, heads, 'f32');
	const texts = tokens / length;
	const offsets = native.tensor(1, texts + 1, 'i32');
	native.write(
		offsets,
		Int32Array.from({length: texts + 1}, (_, text) => text * length),
	);
	return {forward: {qkv, offsets, o, lse}, backward: {dout, dqkv}};
}
