// Two steps of training and an encoding of the built-in model on the card that is named, to be profiled.

import {equalLengths} from '../../benchmarks/texts.mjs';
import {trainingStep} from '../../benchmarks/train.mjs';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';

const [, , device] = process.argv;
const model = await EmbeddingModel.load('builtin', {device});
const texts = device === undefined ? 2 : 64;
const step = await trainingStep(model, equalLengths(texts, 128));
await step();
await step();
await model.encode(Array.from({length: texts}, (_, n) => `text ${n} of those that are encoded`));
process.exit(0);
