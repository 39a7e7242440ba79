// Rows that take all positives of their record: the loss sees them together.

import {describe, expect, test} from 'vitest';
import {evaluateLoss} from '../../dist/loss/evaluate.js';
import {infoNce} from '../../dist/loss/infonce.js';
import {triplet} from '../../dist/loss/triplet.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {hashesOf, loadTiny, rowsOf, trained} from './tiny.js';

const data = rowsOf(9).map(({positive, ...row}, n) => ({
	...row,
	positives: Array.from({length: 1 + (n % 3)}, (_, k) => `${positive} of union ${k}`),
}));
const offsets = Int32Array.from([0, ...data].map((_, n) => textsOf(data.slice(0, n)).length));
const options = {
	data,
	positives: 'all',
	batchSize: 9,
	order: 'file',
	dropout: 0,
	steps: 2,
} as const;

function textsOf(rows: typeof data): string[] {
	return rows.flatMap(row => row.positives);
}

async function stepsOf(more: object): Promise<StepMetrics[]> {
	const steps: StepMetrics[] = [];
	await trained({...options, ...more, onStep: step => void steps.push(step)});
	return steps;
}

describe('all positives of a record', () => {
	test.each(['mean', 'logSum'] as const)('are sought together: %s', async positives => {
		const loss = infoNce({positives, directions: ['qd', 'qq']});
		const [first] = await stepsOf({loss});
		const model = await loadTiny();
		const encoded = async (texts: string[]) => {
			const {data: vectors, rows, width} = await model.encode(texts);
			return {data: vectors, rows, width};
		};
		const own = data.map(row => row.negatives.length);
		const columns = [
			await encoded(data.map(row => row.query)),
			{...(await encoded(textsOf(data))), offsets},
			{
				...(await encoded(data.flatMap(row => row.negatives))),
				offsets: Int32Array.from(
					[0, ...own].map((_, n) => own.slice(0, n).reduce((a, b) => a + b, 0)),
				),
			},
		];
		const {value} = await evaluateLoss(loss, {columns});
		expect(first!.loss).toBeCloseTo(value, 4);
	});

	test('have the same bits whole and in chunks', async () => {
		const bitsOf = async (more: object) => {
			const {model, losses} = await trained({...options, ...more});
			return {losses, weights: await hashesOf(model)};
		};
		expect(await bitsOf({chunkTokens: 40})).toEqual(await bitsOf({}));
	});

	test('are no false negatives of their own row', async () => {
		const loss = infoNce({mask: ['known', 'same-text', 'same-query']});
		const [first] = await stepsOf({loss});
		expect(first!.masked).toEqual({known: 0, 'same-text': 0, 'same-query': 0});
		const negatives = data.flatMap(row => row.negatives).length;
		expect(first!.candidates).toBeCloseTo(textsOf(data).length + negatives, 4);
	});

	test.each([
		[triplet(), 'got triplet'],
		[infoNce({directions: ['qd', 'dq']}), 'got infonce'],
	])('are refused by a loss that takes one: %#', async (loss, message) => {
		await expect(stepsOf({loss})).rejects.toThrow(message);
	});
});
