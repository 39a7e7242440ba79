// What start-run.mjs does, with onnxruntime-node and a tokenizer in JavaScript.

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {Tokenizer} from '@huggingface/tokenizers';

const [, , folder] = process.argv;
const begun = performance.now();
const {InferenceSession, Tensor} = createRequire(join(folder, 'x.js'))('onnxruntime-node');
const session = await InferenceSession.create(join(folder, 'model.onnx'), {intraOpNumThreads: 2});
const read = name => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const tokenizer = new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json'));
const loaded = performance.now() - begun;
const {ids} = tokenizer.encode('how long does the first vector take?');
const tensor = values =>
	new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
await session.run({ids: tensor(ids), mask: tensor(ids.map(() => 1))});
console.log(loaded);
process.exit(0);
