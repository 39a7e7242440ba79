// A guide in training: another model's cosines take columns out.

import {join} from 'node:path';
import {beforeAll, expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {similarity} from '../../dist/model/similarity.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, loadTiny, rowsOf, trained} from './tiny.js';

const {folder} = temporaryFolder();
const guide = join(folder, 'guide');
beforeAll(async () => {
	const model = await EmbeddingModel.load(bert, {pooling: 'mean', normalize: true});
	await model.save(guide);
	await model.dispose();
});

const data = rowsOf(8).map((row, n) => ({...row, negatives: n % 2 === 0 ? row.negatives : []}));

async function firstStep(options: object): Promise<StepMetrics> {
	const steps: StepMetrics[] = [];
	const onStep = (step: StepMetrics) => void steps.push(step);
	await trained({data, batchSize: 8, order: 'file', ...options, onStep});
	return steps[0]!;
}

/** How many documents the guide scores above the own positive less 0.01. */
async function expected(): Promise<number> {
	const model = await loadTiny();
	const documents = [...data.map(row => row.positive), ...data.flatMap(row => row.negatives)];
	const [left, right] = [
		await model.encode(data.map(row => row.query)),
		await model.encode(documents),
	];
	const scores = similarity(left, right);
	const at = (row: number, column: number) => scores[row * documents.length + column]!;
	const removed = data.map((_, row) =>
		documents.filter((__, column) => column !== row && at(row, column) > at(row, row) - 0.01),
	);
	return removed.flat().length;
}

test('removes what it scores too high', async () => {
	const loss = infoNce({mask: ['guide'], maskMargin: 0.01});
	const {masked} = await firstStep({loss, guide});
	expect(masked).toEqual({guide: await expected()});
	expect(masked!['guide']).toBeGreaterThan(0);
});

test('is refused without the mask, and the mask without it', async () => {
	await expect(firstStep({guide})).rejects.toThrow(
		'guide: expected a loss with the mask guide, got infonce without',
	);
	await expect(firstStep({loss: infoNce({mask: ['guide']})})).rejects.toThrow(
		'guide: expected a model for the mask guide of infonce, got none',
	);
});
