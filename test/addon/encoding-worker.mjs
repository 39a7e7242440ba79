// A worker thread that encodes one batch many times and hands over the bits of the last.

import {parentPort, workerData} from 'node:worker_threads';
import {native} from '../../dist/native.js';
import {batchOf, encode, tinyModel} from './tiny-model.mjs';

const device = new (native().Device)(workerData.threads);
const model = await tinyModel(device);
let embeddings;
for (let time = 0; time < 20; time++) embeddings = await encode(model, batchOf(40));
await model.dispose();
parentPort.postMessage(embeddings);
