// How near the FMA peak are the products of the layers?

import {device, peers, rounds, timed} from './rounds.mjs';

/** [N, K] of the layers of MiniLM and of BERT-base. */
const layers = [
	...[1152, 384, 1536].map(n => [n, 384]),
	[384, 1536],
	...[2304, 768, 3072].map(n => [n, 768]),
	[768, 3072],
];
const shapes = [512, 128, 8].flatMap(m => layers.map(([n, k]) => [m, n, k]));

/** Operations of a turn: it lasts long beside what the threads of the turn before still spin. */
const turnWork = 1.5e10;

export async function measure({threads, seconds, python}) {
	const computing = await device(threads);
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
		const [x, w, bias, y, dw, dx] = [
			...[tensor(m, k), tensor(n, k), tensor(1, n), tensor(m, n)],
			...[tensor(n, k), tensor(m, k)],
		];
		const packed = native.tensor(Math.ceil(n / 16), 16 * k, 'f32');
		native.run('linearPack', {weight: w, packed});
		const turned = native.tensor(Math.ceil(k / 16), 16 * n, 'f32');
		native.run('linearPack', {weight: w, packed: turned, transposed: true});
		const repeat = Math.max(1, Math.round(turnWork / (2 * m * n * k)));
		const times = (op, fields) => () =>
			timed(async () => {
				for (let i = 0; i < repeat; i++) native.run(op, fields);
				await native.synchronize();
			});
		const ours = [
			{name: 'inbatch forward', run: times('linearForward', {x, packed, bias, y})},
			{
				name: 'inbatch dX',
				beside: null,
				run: times('linearBackwardInput', {dy: y, packed: turned, dx}),
			},
			{
				name: 'inbatch dW',
				beside: null,
				run: times('linearBackwardWeight', {x, dy: y, dweight: dw}),
			},
		];
		const others = await peers(python, 'linear.py', [m, n, k, repeat], computing.threads);
		const gflop = (2 * m * n * k * repeat) / 1e9;
		const product = ({name}) => name.split(' ').at(-1);
		const beside = others.map(other => ({...other, beside: `inbatch ${product(other)}`}));
		await rounds({
			candidates: [...ours, ...beside],
			seconds: seconds / 3,
			computing,
			gflop,
			unit: 'calls',
			count: repeat,
			title: `linear ${m} x ${n} x ${k}`,
		});
	}
}
