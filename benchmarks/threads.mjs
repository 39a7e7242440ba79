// What does a second thread bring? Encoding and a training step with one thread and with two.

import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {rounds, timed} from './rounds.mjs';
import {equalLengths, forwardGflop} from './texts.mjs';
import {trainingStep} from './train.mjs';

export async function measure({model: path, seconds}) {
	const batch = equalLengths(64, 128);
	const [two, one] = await Promise.all([2, 1].map(threads => EmbeddingModel.load(path, {threads})));
	const out = new Float32Array(64 * two.width);
	const shared = {seconds, computing: two.computing};
	const gflop = forwardGflop(two.folder.spec, batch.lengths);
	const encode = model => () => timed(() => model.core.encode(batch, {}, out));
	await rounds({
		...shared,
		candidates: [
			{name: '2 threads', run: encode(two)},
			{name: '1 thread', run: encode(one)},
		],
		...{gflop, unit: 'texts', count: 64, title: 'a second thread: encode, 64 texts of 128 tokens'},
	});
	const steps = await Promise.all([two, one].map(model => trainingStep(model, batch)));
	await rounds({
		...shared,
		candidates: steps.map((run, n) => ({
			name: ['2 threads', '1 thread'][n],
			run: () => timed(run),
		})),
		...{gflop: 3 * gflop, unit: 'pairs', count: 32},
		title: 'a second thread: training step, 32 pairs of 128 + 128 tokens',
	});
}
