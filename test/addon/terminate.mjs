// Ends workers in the middle of their work, then shows that the engine still works.

import {once} from 'node:events';
import {setTimeout as sleep} from 'node:timers/promises';
import {Worker} from 'node:worker_threads';
import {native} from '../../dist/native.js';
import {batchOf, encode, tinyModel} from './tiny-model.mjs';

const kinds = ['queue', 'encode', 'train', 'load', 'tokenize'];
let failures = 0;

async function end(time) {
	const kind = kinds[time % kinds.length];
	const worker = new Worker(new URL('busy-worker.mjs', import.meta.url), {workerData: {kind}});
	worker.on('error', error => {
		failures++;
		console.error(kind, error);
	});
	await once(worker, 'message');
	await sleep((time * 37) % 250); // before, in and after loading
	await worker.terminate();
}

for (let time = 0; time < 60; time += 2) await Promise.all([end(time), end(time + 1)]);
const model = await tinyModel(new (native().Device)(2));
const embeddings = await encode(model, batchOf(8));
console.log(failures === 0 && embeddings.every(Number.isFinite) ? 'alive' : 'broken');
