// A worker thread that is in the middle of one kind of work until it is ended, and says when it begins.

import {parentPort, workerData} from 'node:worker_threads';
import {EmbeddingModel, train} from '../../dist/index.js';
import {native} from '../../dist/native.js';
import {overload, tinyModel} from './tiny-model.mjs';

const load = () => EmbeddingModel.load('builtin', {threads: 2});
const texts = Array.from({length: 400}, (_, n) => `a text of words ${'and more '.repeat(n % 40)}${n}`);
const data = texts.map((text, n) => ({query: `what is ${n}`, positive: text}));

/** Each works for ever. */
const kinds = {
	async queue() {
		const device = new (native().Device)(2);
		const model = await tinyModel(device);
		await model.prepareTraining([]);
		for (;;) {
			overload(device, model);
			await device.synchronize();
		}
	},
	async encode() {
		const model = await load();
		for (;;) await model.encode(texts, {batchTokens: 1000});
	},
	async train() {
		const model = await load();
		for (;;) await train(model, {data, batchSize: 8, steps: 4, learningRate: 1e-5});
	},
	async load() {
		for (;;) await (await load()).dispose();
	},
	async tokenize() {
		const {tokenizer} = await load();
		for (;;) await tokenizer.encode(texts, {maxLength: 100});
	},
};

const work = kinds[workerData.kind]();
parentPort.postMessage('begun');
await work;
