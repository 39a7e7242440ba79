// How near the FMA peak are the products of the layers?

import {device, peers, rounds, timed} from './rounds.mjs';

const shapes = [
	[2048, 1152, 384],
	[2048, 1536, 384],
	[2048, 384, 1536],
	[2048, 768, 768],
	[2048, 3072, 768],
	[128, 1536, 384],
	[8, 1536, 384],
];

export async function measure({threads, seconds, python}) {
	const computing = device(threads);
	const {native} = computing;
	for (const [m, n, k] of shapes) {
		const tensor = (rows, columns) => {
			const made = native.tensor(rows, columns, 'f32');
			native.write(
				made,
				Float32Array.from({length: rows * columns}, (_, i) => ((i * 7919) % 2001) / 1000 - 1),
			);
			return made;
		};
		const [x, w, bias, y, dw] = [
			tensor(m, k),
			tensor(n, k),
			tensor(1, n),
			tensor(m, n),
			tensor(n, k),
		];
		const packed = native.tensor(Math.ceil(n / 16), 16 * k, 'f32');
		native.run('linearPack', {weight: w, packed});
		const repeat = Math.max(1, Math.round(2e9 / (2 * m * n * k)));
		const times = (op, fields) => () =>
			timed(async () => {
				for (let i = 0; i < repeat; i++) native.run(op, fields);
				await native.synchronize();
			});
		const ours = [
			{name: 'inbatch forward', run: times('linearForward', {x, packed, bias, y})},
			{name: 'inbatch dW', run: times('linearBackwardWeight', {x, dy: y, dweight: dw})},
		];
		const others = await peers(python, 'linear.py', [m, n, k, repeat], computing.threads);
		const gflop = (2 * m * n * k * repeat) / 1e9;
		await rounds({
			candidates: [...ours, ...others],
			seconds: seconds / 4,
			computing,
			gflop,
			unit: 'calls',
			count: repeat,
			title: `linear ${m} x ${n} x ${k}`,
		});
	}
}
