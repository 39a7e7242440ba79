// Two views of a text: it stands twice in the batch, and dropout tells them apart.

import {expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {ntXent} from '../../dist/loss/nt-xent.js';
import {simCse} from '../../dist/loss/simcse.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {rowsOf, trained} from './tiny.js';

const texts = rowsOf(8).map(({positive}) => positive);

async function firstStep(loss: Loss, data: readonly unknown[], more: object = {}) {
	const steps: StepMetrics[] = [];
	const onStep = (step: StepMetrics) => void steps.push(step);
	await trained({data, loss, batchSize: 8, order: 'file', dropout: 0.1, ...more, onStep});
	return steps[0]!;
}

test('simCse encodes each text twice, unlike', async () => {
	const alone = await firstStep(
		simCse(),
		texts.map(text => ({text})),
	);
	expect(alone.candidates).toBe(8);
	expect(alone.positiveCosine).toBeLessThan(0.9999);
	expect(alone.positiveCosine).toBeGreaterThan(0.5);
});

test('a text beside itself is the same, but for a pair its document prompt', async () => {
	const pairs = texts.map(text => ({query: text, positive: text}));
	const same = {allowDuplicates: true};
	const [views, pair] = [
		await firstStep(
			simCse(),
			texts.map(text => ({text})),
		),
		await firstStep(infoNce(), pairs, same),
	];
	expect(views.loss).toBe(pair.loss);
	const prompted = {queryPrompt: 'what is '};
	const again = await firstStep(
		simCse(),
		texts.map(text => ({text})),
		prompted,
	);
	const both = {...same, ...prompted, documentPrompt: 'what is '};
	expect(again.loss).toBe((await firstStep(infoNce(), pairs, both)).loss);
});

test('ntXent takes texts alone too', async () => {
	const {candidates} = await firstStep(
		ntXent({row: 'text'}),
		texts.map(text => ({text})),
	);
	expect(candidates).toBe(15);
});

test('a model without dropout is refused', async () => {
	const data = texts.map(text => ({text}));
	await expect(firstStep(simCse(), data, {dropout: 0})).rejects.toThrow(
		'simcse: expected dropout above 0, which tells the two views of a text apart, got 0',
	);
});
