// Learning rates against those of transformers; see fixtures/optimizer.

import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {type ScheduleName, type ScheduleOptions, scheduleOf} from '../../dist/train/schedule.js';

type Golden = {
	name: string;
	lr: number;
	warmup_steps: number;
	total_steps: number;
	rates: number[];
	num_cycles?: number;
	power?: number;
	lr_end?: number;
	min_lr_rate?: number;
};

const path = new URL('../fixtures/optimizer/schedules.json', import.meta.url);
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden[];

/** The cases of a schedule of transformers, under our name for it. */
function cases(name: string, schedule: ScheduleName, ignoresWarmup = false) {
	return golden
		.filter(each => each.name === name)
		.map(({lr, rates, total_steps: steps, warmup_steps: given, ...shape}) => ({
			...{name, schedule, steps, given, learningRate: lr, rates},
			warmupSteps: ignoresWarmup ? 0 : given,
			restarts: shape.num_cycles && shape.num_cycles - 1,
			power: shape.power,
			minLearningRate: shape.lr_end ?? (shape.min_lr_rate && shape.min_lr_rate * lr),
		}));
}
const share = {warmupRatio: 0.1};
const base = {learningRate: 1, width: 64};

type Asked = Partial<ScheduleOptions> & Pick<ScheduleOptions, 'schedule' | 'steps'>;

/** The factors of a whole run. */
function factors(options: Asked): number[] {
	const factorAt = scheduleOf({...base, ...options});
	return Array.from({length: options.steps}, (_, update) => factorAt(update));
}

describe('the rates of transformers are those of', () => {
	test.each([
		...cases('linear', 'linear'),
		...cases('cosine', 'cosine'),
		...cases('constant_with_warmup', 'constant'),
		...cases('constant', 'constant', true),
		...cases('cosine_with_restarts', 'cosine'),
		...cases('cosine_with_min_lr', 'cosine'),
		...cases('polynomial', 'polynomial'),
		...cases('inverse_sqrt', 'inverse-sqrt'),
	])('$name over $steps steps, $given of warm-up', ({learningRate, rates, ...options}) => {
		const found = factors({...share, ...options, learningRate});
		expect(found).toHaveLength(rates.length);
		const errors = found.map((factor, update) => Math.abs(factor - rates[update]! / learningRate));
		expect(Math.max(...errors)).toBeLessThan(1e-14);
	});

	test.each(
		JSON.parse(readFileSync(new URL('wsd.json', path), 'utf8')) as (Asked & {factors: number[]})[],
	)('$schedule over $steps steps, $warmupSteps of warm-up', ({factors: expected, ...options}) => {
		const errors = factors(options).map((factor, update) => Math.abs(factor - expected[update]!));
		expect(errors).toHaveLength(expected.length);
		expect(Math.max(...errors)).toBeLessThan(1e-14);
	});
});

describe("NeMo's rates are those of", () => {
	const gpt = {learningRate: 1e-4, warmupSteps: 50, steps: 20_000};
	const sbert = {
		...{learningRate: 2e-4, warmupSteps: 500, steps: 100_000},
		...{minLearningRate: 2e-5, constantSteps: 50_000},
	};

	test.each([
		[gpt, 0, 1.9608e-6],
		[gpt, 25, 5.098e-5],
		[gpt, 50, 1e-4],
		[gpt, 5000, 8.5564e-5],
		[gpt, 10_025, 5e-5],
		[gpt, 20_000, 0],
		[sbert, 0, 0],
		[sbert, 250, 1e-4],
		[sbert, 500, 2e-4],
		[sbert, 25_250, 1.1e-4],
		[sbert, 50_000, 2e-5],
		[sbert, 50_001, 2e-5],
		[sbert, 99_999, 2e-5],
	])('cosine-annealing of %j at %d: %d', (options, update, expected) => {
		const factorAt = scheduleOf({...base, schedule: 'cosine-annealing', ...options});
		expect(factorAt(update) * options.learningRate).toBeCloseTo(expected, 9);
	});

	test('noam: a rise by the update, then a fall by its root, by the root of the width', () => {
		const found = factors({schedule: 'noam', steps: 401, warmupSteps: 100, width: 16});
		const at = (update: number) => 0.25 * Math.min(update ** -0.5, update * 100 ** -1.5);
		for (const update of [1, 2, 50, 99, 100, 101, 400]) {
			expect(found[update]).toBeCloseTo(at(update), 15);
		}
		expect(found[0]).toBe(found[1]);
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
		scheduleOf({...base, schedule: 'cosine', steps: 9, warmupSteps, ...share})(0);
	expect([first(1), first(0)]).toEqual([0, 1]);
});

test('cosine falls to the smallest rate in each of its rounds', () => {
	const options = {steps: 40, warmupSteps: 0, minLearningRate: 0.25, restarts: 1} as const;
	const found = factors({schedule: 'cosine', ...options});
	expect([found[0], found[20]]).toEqual([1, 1]);
	expect(found[10]).toBeCloseTo(0.625, 12);
	expect(Math.min(...found)).toBeGreaterThan(0.25);
});

const long = {learningRate: 5e-6, warmupSteps: 100, steps: 10_000};

test.each([
	[{schedule: 'linear', steps: 10, warmupSteps: 10}, 'got 10 steps of it'],
	[{schedule: 'linear', steps: 10, warmupSteps: 1000}, 'got 1000 steps of it'],
	[
		{...long, schedule: 'cosine-annealing', minLearningRate: 1e-8, constantSteps: 50_000},
		'the 10000 steps of the run, got warmup of 100, a constant end of 50000, a fall of 1, 50101 together',
	],
	[{schedule: 'wsd', steps: 10, warmupSteps: 6, decaySteps: 5}, 'warmup of 6, decay of 5, 11'],
	[{schedule: 'cosine', steps: 10, minLearningRate: 2}, 'at most the largest, 1, got 2'],
] as const)('%j does not fit', (options, message) => {
	expect(() => factors(options)).toThrow(
		expect.objectContaining({
			code: 'TRAIN_SCHEDULE',
			message: expect.stringContaining(message),
		}),
	);
});

test.each([
	[{schedule: 'linear', minLearningRate: 0.1}, 'min-learning-rate: expected --schedule cosine or'],
	[{schedule: 'wsd', restarts: 1}, 'restarts: expected --schedule cosine beside it, got wsd'],
	[{schedule: 'cosine', decaySteps: 1}, 'decay-steps: expected --schedule wsd'],
	[{schedule: 'cosine', constantSteps: 0}, 'constant-steps: expected --schedule cosine-annealing'],
] as const)('%j is refused', (options, message) => {
	expect(() => factors({steps: 10, ...options})).toThrow(
		expect.objectContaining({
			code: 'OPTION_CONFLICT',
			message: expect.stringContaining(message),
		}),
	);
});

test.each([
	['inverse-sqrt', 0.1],
	['noam', 0.1],
	['wsd', 0.1],
	['cosine-annealing', 0.1],
	['polynomial', 0],
] as const)('%s has a rate at every step of a run of one to four', (schedule, warmupRatio) => {
	for (const steps of [1, 2, 3, 4]) {
		const found = factors({schedule, steps, warmupRatio});
		expect(found.every(factor => factor >= 0 && factor <= 1)).toBe(true);
	}
});
