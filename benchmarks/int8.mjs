// How much faster is encoding in int8, and how near to float32 does it stay?

import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {peers, rounds, timed} from './rounds.mjs';
import {equalLengths, forwardGflop, mixedLengths, sized} from './texts.mjs';

export async function measure({model: path, threads, seconds, python}) {
	const options = {...(threads && {threads})};
	const full = await EmbeddingModel.load(path, options);
	const model = await EmbeddingModel.load(path, {...options, dtype: 'int8'});
	const {computing} = model;
	const [equal, mixed] = [96, 192].map(count => sized(model.folder.spec, count));
	for (const [title, batch] of [
		[`encode in int8, ${equal} texts of 128 tokens`, equalLengths(equal, 128)],
		[
			`encode in int8, ${mixed} texts of mixed lengths (peers pad batches of 32 to the longest)`,
			mixedLengths(mixed),
		],
	]) {
		const count = batch.lengths.length;
		const [out, exact] = [0, 0].map(() => new Float32Array(count * model.width));
		const ours = {name: 'inbatch int8', run: () => timed(() => model.core.encode(batch, {}, out))};
		const plain = {name: 'inbatch f32', run: () => timed(() => full.core.encode(batch, {}, exact))};
		const lengths = batch.lengths.join(',');
		const others = await peers(python, 'encode.py', [path, lengths, '--int8'], computing.threads);
		await rounds({
			candidates: [ours, plain, ...others],
			seconds,
			computing,
			gflop: forwardGflop(model.folder.spec, batch.lengths),
			unit: 'texts',
			count,
			title,
		});
		const {mean, least} = cosines(out, exact, model.width);
		console.log(`cosine to float32: mean ${mean.toFixed(5)}, smallest ${least.toFixed(5)}`);
	}
}

/** Of rows of length 1. */
function cosines(a, b, width) {
	const rows = a.length / width;
	const each = Array.from({length: rows}, (_, row) => {
		let dot = 0;
		for (let at = row * width; at < (row + 1) * width; at++) dot += a[at] * b[at];
		return dot;
	});
	return {mean: each.reduce((sum, one) => sum + one, 0) / rows, least: Math.min(...each)};
}
