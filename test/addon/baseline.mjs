// The embedded model with whatever kernels the environment names: which, and the bits of a few vectors.

import {createHash} from 'node:crypto';
import {EmbeddingModel} from '../../dist/index.js';

const model = await EmbeddingModel.load('builtin', {threads: 2});
const texts = Array.from({length: 20}, (_, n) => `a text ${'of words '.repeat(n)}`);
const {data, width} = await model.encode(texts);
const alone = await model.embed(texts[7]);
console.log(
	JSON.stringify({
		kernels: model.computing.kernels,
		isUnit: Math.abs(Math.hypot(...alone) - 1) < 1e-5,
		isSame: alone.every((value, n) => value === data[7 * width + n]),
		hash: createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex'),
	}),
);
await model.dispose();
