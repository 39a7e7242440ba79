// How many texts a second are encoded, at equal and at mixed lengths?

import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {peers, rounds, timed} from './rounds.mjs';
import {equalLengths, forwardGflop, mixedLengths, sized, sortedLengths} from './texts.mjs';

export async function measure({model: path, threads, seconds, python}) {
	const model = await EmbeddingModel.load(path, {...(threads && {threads})});
	const computing = model.computing;
	const [equal, mixed] = [96, 192].map(count => sized(model.folder.spec, count));
	for (const [title, batch] of [
		[`encode, ${equal} texts of 128 tokens`, equalLengths(equal, 128)],
		[
			`encode, ${mixed} texts of mixed lengths (peers pad batches of 32 to the longest)`,
			mixedLengths(mixed),
		],
		[
			`encode, ${mixed} texts of mixed lengths, sorted (peers pad batches of 32 of like lengths)`,
			sortedLengths(mixed),
		],
	]) {
		const count = batch.lengths.length;
		const out = new Float32Array(count * model.width);
		const ours = {name: 'inbatch', run: () => timed(() => model.core.encode(batch, {}, out))};
		const others = await peers(
			python,
			'encode.py',
			[path, batch.lengths.join(',')],
			computing.threads,
		);
		const gflop = forwardGflop(model.folder.spec, batch.lengths);
		await rounds({
			candidates: [ours, ...others],
			seconds,
			computing,
			gflop,
			unit: 'texts',
			count,
			title,
		});
	}
}
