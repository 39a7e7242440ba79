// What does a training step cost (InfoNCE, AdamW, dropout 0.1)?

import {infoNce} from '../dist/loss/infonce.js';
import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {LossParameters} from '../dist/train/loss-parameters.js';
import {runStep} from '../dist/train/step.js';
import {peers, rounds, timed} from './rounds.mjs';
import {equalLengths, forwardGflop, mixedLengths, sized} from './texts.mjs';

export async function measure({model: path, threads, seconds, python}) {
	const model = await EmbeddingModel.load(path, {...(threads && {threads})});
	const {computing, folder} = model;
	const pairs = sized(folder.spec, 32);
	for (const [title, packed] of [
		[`training step, ${pairs} pairs of 128 + 128 tokens`, equalLengths(2 * pairs, 128)],
		[
			`training step, ${pairs} pairs of mixed lengths (the peer pads each side to its longest)`,
			mixedLengths(2 * pairs),
		],
	]) {
		const step = await trainingStep(model, packed);
		const ours = {name: 'inbatch', run: () => timed(step)};
		const others = await peers(
			python,
			'train.py',
			[path, packed.lengths.join(',')],
			computing.threads,
		);
		const gflop = 3 * forwardGflop(folder.spec, packed.lengths);
		await rounds({
			candidates: [ours, ...others],
			seconds,
			computing,
			gflop,
			unit: 'pairs',
			count: pairs,
			title,
		});
		const before = allocations(model);
		await step();
		console.log(`allocations in one more step: ${allocations(model) - before}`);
	}
}

const allocations = ({computing, core}) =>
	computing.native.statistics().allocations + core.statistics().allocations;

/** A function that takes one step on texts that are queries, then their documents. */
export async function trainingStep(model, packed) {
	await model.core.prepareTraining([]);
	const loss = infoNce();
	const parameters = new LossParameters(model.computing.native, loss, {
		width: model.width,
		seed: 0,
	});
	const texts = packed.lengths.length;
	const rows = texts / 2;
	const batch = {
		rows,
		positiveOffsets: Int32Array.from({length: rows + 1}, (_, row) => row),
		negativeOffsets: new Int32Array(rows + 1),
		texts,
		tokens: packed.ids.length,
		chunks: [{first: 0, count: texts, packed}],
		truncatedQueries: 0,
		truncatedDocuments: 0,
	};
	const dropout = {hidden: 0.1, attention: 0.1};
	const rule = {rate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01, clip: 1};
	let step = 0;
	return () => {
		const update = {...rule, step: ++step};
		return runStep({model, loss, parameters, dropout, recompute: false, seed: 0}, batch, update);
	};
}
