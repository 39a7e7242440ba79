// A worker thread that queues far more work than it waits for, and says when it is in the middle.

import {parentPort} from 'node:worker_threads';
import {native} from '../../dist/native.js';
import {overload, tinyModel} from './tiny-model.mjs';

const device = new (native().Device)(2);
const model = await tinyModel(device);
await model.prepareTraining([]);
overload(device, model);
parentPort.postMessage('busy');
