// Training of models with other heads than one pooling: it learns, leaves prompts out of pooling where the
// model says so, and what it writes is the model.

import {join} from 'node:path';
import {expect, test} from 'vitest';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {load} from '../model/folders.js';
import {stFolder} from '../model/st-fixtures.js';
import {quick, rowsOf} from './tiny.js';

const {folder} = temporaryFolder();
let made = 0;
const place = () => join(folder, `model-${made++}`);

async function stepsOf(model: EmbeddingModel, options: Partial<TrainOptions> = {}) {
	const steps: {loss: number; positiveCosine: number}[] = [];
	const messages: string[] = [];
	await train(model, {
		...{...quick, dropout: 0, ...options},
		onStep: step => steps.push(step),
		onMessage: message => messages.push(message),
	});
	return {steps, messages};
}

test.each([
	'pool-all',
	'pool-other-order',
	'dense-two',
	'dense-SiLU',
	'layer-norm',
	'router-same',
	'static-dense',
	'prompt-all',
])('%s learns, and its output gives the same bits', async name => {
	const [model, output] = [await load(stFolder(name, place())), place()];
	const {steps} = await stepsOf(model, {output, epochs: 8});
	expect(steps.at(-1)!.loss).toBeLessThan(0.95 * steps[0]!.loss);
	const again = await load(output);
	const texts = ['the symptom', '', 'what is the age'];
	expect((await again.encode(texts)).data).toEqual((await model.encode(texts)).data);
});

test('prompts that pooling leaves out are left out of every step', async () => {
	const model = await load(stFolder('prompt-mean', place()));
	const prompts = {queryPrompt: 'what is the ', documentPrompt: 'age: {} .'};
	const rows = rowsOf(8);
	const {data, width} = await model.encode(
		rows.map(({query}) => query),
		{promptText: prompts.queryPrompt, normalize: true},
	);
	const documents = await model.encode(
		rows.map(({positive}) => positive),
		{promptText: prompts.documentPrompt, normalize: true},
	);
	const cosine = data.reduce((sum, x, at) => sum + x * documents.data[at]!, 0) / rows.length;
	expect(data.length).toBe(rows.length * width);
	const {steps} = await stepsOf(model, {data: rows, steps: 1, ...prompts});
	expect(steps[0]!.positiveCosine).toBeCloseTo(cosine, 6);
});

test('that the output opens in newer versions only is said first', async () => {
	const model = await load(stFolder('pool-other-order', place()));
	const {messages} = await stepsOf(model, {steps: 1});
	expect(messages[0]).toMatch(/^what is saved will not open .* only version 5\.4 and newer/);
});
