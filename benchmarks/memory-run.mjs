// One piece of work in a process of its own; prints its peak resident memory in MiB. The pieces:
//   load MODEL | encode MODEL: 256 texts of 128 tokens | train MODEL: two steps of 32 pairs of 128 + 128
//   contrast ROWS WIDTH: InfoNCE forward and backward

import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {once} from './contrast.mjs';
import {device} from './rounds.mjs';
import {equalLengths} from './texts.mjs';
import {trainingStep} from './train.mjs';

const [work, ...given] = process.argv.slice(2);
const threads = Number(process.env.OMP_NUM_THREADS);
const load = () => EmbeddingModel.load(given[0], {threads});

await {
	load,
	encode: async () => {
		const model = await load();
		for (let at = 0; at < 8; at++) {
			await model.core.encode(equalLengths(32, 128), {}, new Float32Array(32 * model.width));
		}
	},
	train: async () => {
		const step = await trainingStep(await load(), equalLengths(64, 128));
		for (let n = 0; n < 2; n++) await step();
	},
	contrast: async () => once(await device(threads), ...given.map(Number)),
}[work]();
console.log(process.resourceUsage().maxRSS / 1024);
process.exit(0);
