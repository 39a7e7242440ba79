// Masks in training: what the data say of texts, queries, documents and sets reaches the loss, and what was
// removed reaches the log.

import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import type {MaskRule} from '../../dist/loss/false-negatives.js';
import {infoNce} from '../../dist/loss/infonce.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {temporaryFolder} from '../files/folder.js';
import {lines, trained} from './tiny.js';

const {put} = temporaryFolder();

const first = [
	{
		query_id: 'q1',
		query: 'what is age',
		pos: 'the age',
		pos_ids: ['d1'],
		neg: ['a sign'],
		neg_ids: ['d3'],
	},
	{
		query_id: 'q1',
		query: 'which age',
		pos: 'an age',
		pos_ids: ['d2'],
		neg: ['no union'],
		neg_ids: ['d9'],
	},
	{query_id: 'q3', query: 'what is a sign', pos: 'a sign', pos_ids: ['d3']},
	{query_id: 'q4', query: 'the age', pos: 'a pattern', pos_ids: ['d4']},
];
const second = [{query_id: 'q5', query: 'what union', pos: 'the union', pos_ids: ['d9']}];
const data = [`one=${put('one.jsonl', lines(first))}`, `two=${put('two.jsonl', lines(second))}`];
const qrels = put('known.tsv', 'q4\td1\t1\nq5\td2\t0\nq3\td9\t2\n');

async function removedBy(mask: readonly MaskRule[], more: object = {}): Promise<StepMetrics> {
	const steps: StepMetrics[] = [];
	const options = {data, batchSize: 5, order: 'file', allowDuplicates: true, epochs: 1} as const;
	const loss = infoNce({mask});
	await trained({...options, ...more, loss, onStep: step => void steps.push(step)});
	return steps[0]!;
}

describe('in training', () => {
	test.each([
		// query 3 says what positive 0 says, negative 0 what positive 2 says
		['same-text', {}, 2],
		// the positives of the two rows of q1 for each other
		['same-query', {}, 2],
		['known', {}, 2],
		// q4 knows d1 too, and q3 the document d9, which is there as a positive and as a negative
		['known', {knownPositives: qrels}, 5],
		['other-set', {}, 4 + 6],
	] as const)('%s removes what it is to remove: %j', async (rule, more, count) => {
		const {masked, candidates} = await removedBy([rule], more);
		expect(masked).toEqual({[rule]: count});
		expect(candidates).toBeCloseTo((5 * 7 - count) / 5, 5);
	});

	const scored = [
		{
			query: 'what is age',
			pos: 'the age',
			neg: ['a sign', 'no union'],
			teacher_scores: [2, 1.9, 3],
		},
		{query: 'which age', pos: 'an age', neg: ['the union'], teacher_scores: [2, 1.96]},
		{query: 'what is a test', pos: 'a test'},
	];

	test('teacher removes own negatives by the scores of the data', async () => {
		const {masked, candidates} = await removedBy(['teacher'], {data: scored});
		expect(masked).toEqual({teacher: 2});
		expect(candidates).toBeCloseTo((3 * 6 - 2) / 3, 5);
	});

	test.each([
		[
			{data: [{query: 'a', pos: 'b', neg: ['c']}]},
			'"teacher_scores" of the positives and negatives',
		],
		[{data: scored, positives: 'all'}, 'expected all only with a loss that takes several'],
	])('teacher is refused where the data do not fit: %j', async (more, message) => {
		await expect(removedBy(['teacher'], more)).rejects.toThrow(message);
	});

	test('a run without masks logs none', async () => {
		expect(await removedBy([])).not.toHaveProperty('masked');
	});

	test('judgements that no mask asks for are refused', async () => {
		await expect(removedBy(['margin'], {knownPositives: qrels})).rejects.toThrow(
			'known-positives: expected a loss with the mask known, got one without',
		);
	});

	test('judgements that another mask does not ask for are refused too', async () => {
		await expect(removedBy(['same-text'], {knownPositives: qrels})).rejects.toThrow(
			'known-positives: expected a loss with the mask known, got one without',
		);
	});

	test('judgements that are not there are named', async () => {
		const missing = join('nowhere', 'known.tsv');
		await expect(removedBy(['known'], {knownPositives: missing})).rejects.toThrow(missing);
	});
});
