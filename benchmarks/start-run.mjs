// Loads a model, encodes one text and prints how many milliseconds loading took.

import {EmbeddingModel} from '../dist/bundle/index.js';

const begun = performance.now();
const model = await EmbeddingModel.load(process.argv[2]);
const loaded = performance.now() - begun;
await model.encode(['how long does the first vector take?']);
console.log(loaded);
process.exit(0);
