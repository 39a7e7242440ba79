// Late interaction against sentence-transformers (fixtures/late-interaction/make.py).

import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {evaluateLoss, type PlainColumn} from '../../dist/loss/evaluate.js';
import {losses} from '../../dist/loss/index.js';
import type {LateInteractionOptions} from '../../dist/loss/late-interaction.js';

const fixture = new URL('../fixtures/late-interaction/losses.json', import.meta.url);
const {width, lengths, columns, teacher, cases} = JSON.parse(readFileSync(fixture, 'utf8')) as {
	width: number;
	lengths: number[][];
	columns: number[][];
	teacher: number[];
	cases: {columns: number; options: LateInteractionOptions; value: number; gradients: number[][]}[];
};

const offsetsOf = (sizes: readonly number[]) => {
	const offsets = [0];
	for (const size of sizes) offsets.push(offsets.at(-1)! + size);
	return offsets;
};
const given: PlainColumn[] = columns.map((values, n) => ({
	...{data: Float32Array.from(values), rows: values.length / width, width},
	tokens: offsetsOf(lengths[n]!),
}));
const scores = Float32Array.from(teacher);

test.each(cases)('$options over $columns columns is as there', async one => {
	const inputs = {columns: given.slice(0, one.columns), scores};
	const {value, gradients} = await evaluateLoss(losses.lateinteraction(one.options), inputs);
	expect(value).toBeCloseTo(one.value, 5);
	for (const [n, gradient] of gradients.entries()) {
		for (const [at, each] of gradient.entries())
			expect(each).toBeCloseTo(one.gradients[n]![at]!, 5);
	}
});

test('negatives may be ragged: those of all rows in one column', async () => {
	const [query, positive, first, second] = given as [
		PlainColumn,
		PlainColumn,
		PlainColumn,
		PlainColumn,
	];
	const rows = (column: PlainColumn, text: number) => {
		const [begin, end] = [column.tokens![text]!, column.tokens![text + 1]!];
		return [...column.data.subarray(begin * width, end * width)];
	};
	const texts = [0, 1, 2, 3].flatMap(text => [rows(first, text), rows(second, text)]);
	const ragged = {
		...{data: Float32Array.from(texts.flat()), rows: texts.flat().length / width, width},
		tokens: offsetsOf(texts.map(text => text.length / width)),
		offsets: [0, 2, 4, 6, 8],
	};
	const {value} = await evaluateLoss(losses.lateinteraction({temperature: 0.5}), {
		columns: [query, positive, ragged],
	});
	expect(value).toBeCloseTo(cases[1]!.value, 5);
});

test('what a query does not meet has no gradient', async () => {
	const loss = losses.lateinteraction({candidates: ['inBatchPositives']});
	const {gradients, reports} = await evaluateLoss(loss, {columns: given});
	expect(gradients[2]!.every(each => each === 0)).toBe(true);
	expect(reports).toMatchObject({candidates: 4, temperature: 1});
});

describe('refused', () => {
	const pair = given.slice(0, 2);
	const whole = pair.map(({tokens, ...column}) => column);

	test.each([
		[
			'one row a text',
			{},
			whole.map(x => ({...x, rows: 10, data: new Float32Array(60)})),
			'rows of tokens',
		],
		['no negatives to meet', {candidates: ['ownHard']}, pair, 'hard negatives'],
		['no scores of a teacher', {form: 'distill'}, given, '12 scores of a teacher'],
		['offsets beyond the rows', {}, [pair[0]!, {...pair[1]!, tokens: [0, 1, 2, 3, 4]}], '0 to 14'],
	] as const)('%s', async (_, options, given, message) => {
		const loss = losses.lateinteraction(options as LateInteractionOptions);
		await expect(evaluateLoss(loss, {columns: given})).rejects.toThrow(message);
	});

	test.each([
		[{similarity: 'dot'}, 'OPTION_UNKNOWN'],
		[{temperature: 0}, 'OPTION_RANGE'],
		[{candidates: []}, 'OPTION_RANGE'],
		[{teacherTemperature: 2}, 'OPTION_CONFLICT'],
		[{form: 'distill', candidates: ['ownHard']}, 'OPTION_CONFLICT'],
	])('options %j', (options, code) => {
		const make = () => losses.lateinteraction(options as LateInteractionOptions);
		expect(make).toThrow(expect.objectContaining({code}));
	});
});
