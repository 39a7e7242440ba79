// How long does one query wait? One short text at a time, from its ids to its vector, for the peers too.

import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {peers, rounds, timed} from './rounds.mjs';
import {equalLengths, forwardGflop} from './texts.mjs';

const tokens = 16;
const repeat = 50;

export async function measure({model: path, threads, seconds, python}) {
	for (const dtype of ['f32', 'int8']) {
		const model = await EmbeddingModel.load(path, {...(threads && {threads}), dtype});
		const {computing} = model;
		const batch = equalLengths(1, tokens);
		const out = new Float32Array(model.width);
		const ours = async () => {
			for (let n = 0; n < repeat; n++) await model.core.encode(batch, {}, out);
		};
		const others = await peers(
			python,
			'encode.py',
			[path, tokens, ...(dtype === 'int8' ? ['--int8'] : []), `--repeat=${repeat}`],
			computing.threads,
		);
		await rounds({
			candidates: [{name: `inbatch ${dtype}`, run: () => timed(ours)}, ...others],
			seconds,
			computing,
			gflop: repeat * forwardGflop(model.folder.spec, batch.lengths),
			unit: 'queries',
			count: repeat,
			title: `one query of ${tokens} tokens at a time, ${dtype}`,
		});
		await model.dispose();
	}
}
