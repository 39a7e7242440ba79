// How many texts a second are encoded, at equal and at mixed lengths?

import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {peers, rounds, timed} from './rounds.mjs';
import {equalLengths, forwardGflop, mixedLengths} from './texts.mjs';

export async function measure({model: path, threads, seconds, python}) {
	const model = await EmbeddingModel.load(path, {...(threads && {threads})});
	const computing = model.computing;
	for (const [title, batch] of [
		['encode, 96 texts of 128 tokens', equalLengths(96, 128)],
		[
			'encode, 192 texts of mixed lengths (peers pad batches of 32 to the longest)',
			mixedLengths(192),
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
