// Terminates workers in the middle of their work, then shows that the engine still works.

import {once} from 'node:events';
import {setTimeout as sleep} from 'node:timers/promises';
import {Worker} from 'node:worker_threads';
import {native} from '../../dist/native.js';
import {batchOf, encode, tinyModel} from './tiny-model.mjs';

for (let time = 0; time < 20; time++) {
	const worker = new Worker(new URL('busy-worker.mjs', import.meta.url));
	await once(worker, 'message');
	await sleep(time % 5);
	await worker.terminate();
}
const model = await tinyModel(new (native().Device)(2));
const embeddings = await encode(model, batchOf(8));
console.log(embeddings.every(Number.isFinite) ? 'alive' : 'broken');
