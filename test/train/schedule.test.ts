// Learning rates against those of transformers; see fixtures/optimizer.

import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {type ScheduleName, scheduleOf} from '../../dist/train/schedule.js';

type Golden = {
	name: string;
	lr: number;
	warmup_steps: number;
	total_steps: number;
	rates: number[];
};

const path = new URL('../fixtures/optimizer/schedules.json', import.meta.url);
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden[];

/** The cases of a schedule of transformers, under our name for it. */
function cases(name: string, schedule: ScheduleName, ignoresWarmup = false) {
	return golden
		.filter(each => each.name === name)
		.map(({lr, rates, total_steps: steps, warmup_steps: given}) => ({
			...{name, schedule, steps, given, lr, rates},
			warmupSteps: ignoresWarmup ? 0 : given,
		}));
}
const share = {warmupRatio: 0.1};

/** The factors of a whole run. */
function factors(options: Parameters<typeof scheduleOf>[0]): number[] {
	return Array.from({length: options.steps}, (_, update) => scheduleOf(options)(update));
}

describe('the rates of transformers are those of', () => {
	test.each([
		...cases('linear', 'linear'),
		...cases('cosine', 'cosine'),
		...cases('constant_with_warmup', 'constant'),
		...cases('constant', 'constant', true),
	])('$name over $steps steps, $given of warm-up', ({lr, rates, ...options}) => {
		const found = factors({...share, ...options}).map(factor => factor * lr);
		expect(found).toHaveLength(rates.length);
		const errors = found.map((rate, update) => Math.abs(rate - rates[update]!));
		expect(Math.max(...errors)).toBeLessThan(1e-15 * lr);
	});
});

describe('a share of warm-up', () => {
	test('is rounded up to whole steps', () => {
		const [byShare, bySteps] = [{warmupRatio: 0.1}, {warmupRatio: 0, warmupSteps: 3}].map(warmup =>
			factors({schedule: 'linear', steps: 21, ...warmup}),
		);
		expect(byShare).toEqual(bySteps);
	});

	test.each([1, 2])('leaves a step for the rate itself in a run of %d steps', steps => {
		expect(factors({schedule: 'constant', steps, warmupRatio: 1}).at(-1)).toBe(1);
	});
});

test('the first factor is 0 with warm-up and 1 without', () => {
	const first = (warmupSteps: number) =>
		scheduleOf({schedule: 'cosine', steps: 9, warmupSteps, ...share})(0);
	expect([first(1), first(0)]).toEqual([0, 1]);
});

test.each([10, 11, 1000])('%d steps of warm-up do not fit into 10 steps', warmupSteps => {
	expect(() => scheduleOf({schedule: 'linear', steps: 10, warmupSteps, ...share})).toThrow(
		expect.objectContaining({
			code: 'TRAIN_SCHEDULE',
			message: expect.stringContaining(`got ${warmupSteps} steps`),
		}),
	);
});
