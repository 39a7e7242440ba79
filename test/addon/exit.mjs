// Exits in the middle of queued work, after as many milliseconds as the argument says.

import {native} from '../../dist/native.js';
import {overload, tinyModel} from './tiny-model.mjs';

const device = new (native().Device)(2);
const model = await tinyModel(device);
await model.prepareTraining([]);
overload(device, model);
setTimeout(() => process.exit(0), Number(process.argv[2]));
