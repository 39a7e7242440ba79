// Losses that are made of others through the trainer: bits, metrics, what is learned, what is refused.

import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {losses} from '../../dist/loss/index.js';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {lossFor} from '../../dist/loss/loss-for.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {weightedSum} from '../../dist/loss/weighted-sum.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashesOf, hashOf, lines, loadTiny, quick, rowsOf, stoppingAt, trained} from './tiny.js';

const {folder, put} = temporaryFolder();
const scored = rowsOf(10).map(({query, positive}, n) => ({
	query: `${query} now`,
	positive: `${positive} too`,
	score: n / 10,
}));
const qa = `qa=${put('qa.jsonl', lines(rowsOf(14)))}`;
const sts = `sts=${put('sts.jsonl', lines(scored))}`;

const learned = () => infoNce({learnTemperature: true});
const bySet = () => lossFor({qa: learned(), sts: losses.cosent()});
const cases: [string, Loss, unknown][] = [
	['R-Drop', rDrop(matryoshka(infoNce(), {widths: [64, 16]})), rowsOf(16)],
	[
		'a weighted sum',
		weightedSum([{loss: learned()}, {loss: losses.cosent(), weight: 0.1}]),
		scored,
	],
	['a loss for each set', bySet(), [qa, sts]],
	[
		'R-Drop of each set',
		lossFor({qa: rDrop(learned())}, {otherwise: rDrop(losses.cosent())}),
		[qa, sts],
	],
];

async function runOf(options: Parameters<typeof trained>[0]) {
	const steps: StepMetrics[] = [];
	const {model} = await trained({dropout: 0.1, ...options, onStep: step => void steps.push(step)});
	return {steps, bits: {losses: steps.map(({loss}) => loss), weights: await hashesOf(model)}};
}

test.each(cases)('%s has the same bits whole and in chunks', async (_, loss, data) => {
	const whole = await runOf({loss, data});
	expect(whole.bits.losses.every(Number.isFinite)).toBe(true);
	expect((await runOf({loss, data, chunkTokens: 40})).bits).toEqual(whole.bits);
});

describe('the metrics of a step', () => {
	test('have the value of each part', async () => {
		const [, loss, data] = cases[1]!;
		const {steps} = await runOf({loss, data});
		for (const {loss: value, losses: parts} of steps) {
			expect(value).toBeCloseTo(parts!['infonce']! + 0.1 * parts!['cosent']!, 5);
		}
	});

	test('have the value of each data set of the batch, which weigh by their rows', async () => {
		const {steps} = await runOf({loss: bySet(), data: [qa, sts], order: 'file', batchSize: 8});
		expect(steps.map(({losses: parts}) => Object.keys(parts!))).toEqual([
			['qa'],
			['qa', 'sts'],
			['sts'],
		]);
		const {loss, losses: parts} = steps[1]!;
		expect(loss).toBeCloseTo((6 * parts!['qa']! + 2 * parts!['sts']!) / 8, 5);
	});

	test('count the rows and cut texts of two passes once', async () => {
		const options = {data: rowsOf(8), queryMaxLength: 6};
		const {steps: once} = await runOf({...options, loss: infoNce()});
		const {steps: twice} = await runOf({...options, loss: rDrop(infoNce())});
		const {rows, truncatedQueries, candidates, tokens} = once[0]!;
		expect(truncatedQueries).toBeGreaterThan(0);
		expect(twice[0]).toMatchObject({rows, truncatedQueries, candidates, tokens: 2 * tokens});
		expect(twice[0]!.losses!['rdrop']).toBeGreaterThan(0);
	});
});

test('R-Drop without dropout is the loss, and that is said', async () => {
	const said: string[] = [];
	const still = {data: rowsOf(8), dropout: 0, onMessage: (text: string) => void said.push(text)};
	const {bits} = await runOf({...still, loss: infoNce()});
	const {steps} = await runOf({...still, loss: rDrop(infoNce())});
	expect(steps[0]!.loss).toBe(bits.losses[0]);
	expect(said).toEqual([expect.stringContaining('rdrop: the model has no dropout')]);
});

test('what the losses of data sets learn goes on where it was', async () => {
	const options = {...quick, data: [qa, sts], loss: bySet(), dropout: 0.1, saveSteps: 1, keep: 9};
	const [whole, stopped] = [join(folder, 'whole'), join(folder, 'stopped')];
	await train(await loadTiny(), {...options, output: whole});
	const halfway = train(await loadTiny(), {...options, output: stopped, ...stoppingAt(2)});
	await expect(halfway).rejects.toThrow('stopped at 2');
	await train(await loadTiny(), {...options, output: stopped, resume: true});
	const moments = 'checkpoints/step-3/trainer/moments.safetensors';
	expect(hashOf(join(stopped, moments))).toBe(hashOf(join(whole, moments)));
});

describe('is refused', () => {
	test.each([
		[
			'a set that the data lack',
			lossFor({faq: infoNce()}),
			'OPTION_RANGE',
			'among qa, sts, got faq',
		],
		[
			'a set without a loss',
			lossFor({qa: infoNce()}),
			'OPTION_MISSING',
			'qa, sts, got none for sts',
		],
	])('%s', async (_, loss, code, message) => {
		await expect(runOf({loss, data: [qa, sts]})).rejects.toMatchObject({
			code,
			message: expect.stringContaining(message),
		});
	});

	test('a record that the loss of its set cannot use, by its line', async () => {
		const loss = lossFor({qa: losses.cosent(), sts: infoNce()});
		await expect(runOf({loss, data: [qa, sts]})).rejects.toMatchObject({
			code: 'DATA_ROW',
			message: expect.stringContaining('expected no "negative", as the loss of qa needs, got 1'),
		});
	});
});
