// Evaluations during a run, and which checkpoint becomes the model.

import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashOf, lines, loadTiny, metricsIn, quick, rowsOf, stoppingAt} from './tiny.js';

const {folder, put} = temporaryFolder();
const at = (name: string) => join(folder, name);
const rows = rowsOf(24);
const pairs = put(
	'pairs.jsonl',
	lines(
		rows.map(({query}, n) => ({
			sentence1: query,
			sentence2: rows[(n * n) % 24]!.positive,
			score: (n * 7) % 6,
		})),
	),
);
const evaluated = {eval: `mine=${pairs}`, output: at('run')};

/** The evaluations of a run by their steps. */
const evaluationsOf = (output: string) =>
	metricsIn(output).flatMap(({step, evaluation}) =>
		evaluation === undefined ? [] : [{step: step!, value: evaluation['mine']!['spearman_cosine']!}],
	);

async function run(name: string, options: Partial<TrainOptions>) {
	const model = await loadTiny();
	return train(model, {...quick, ...evaluated, output: at(name), ...options});
}

test('a run is evaluated before, after, and every so many steps', async () => {
	const seen: number[] = [];
	const onEvaluate: TrainOptions['onEvaluate'] = ({step}) => seen.push(step);
	const result = await run('plain', {epochs: 3, evalSteps: 3, onEvaluate});
	const values = evaluationsOf(at('plain'));
	expect(values.map(({step}) => step)).toEqual([0, 3, 6, 9]);
	expect(seen).toEqual([0, 3, 6, 9]);
	expect(result.evaluation.before['mine']!['spearman_cosine']).toBe(values[0]!.value);
	expect(result.evaluation.after['mine']!['spearman_cosine']).toBe(values[3]!.value);
});

describe('the best checkpoint', () => {
	test.each([
		['spearman_cosine', 3e-3],
		['spearman_cosine', 1e-4],
	])('by %s becomes the model at rate %d', async (metric, learningRate) => {
		const name = `best-${learningRate}`;
		const options = {metric: `mine/${metric}`, learningRate, epochs: 4, evalSteps: 1};
		const result = await run(name, {...options, saveBest: true, keep: 99});
		const values = evaluationsOf(at(name)).filter(({step}) => step > 0);
		const best = values.reduce((a, b) => (b.value > a.value ? b : a));
		expect(values.map(({step}) => step)).toEqual(Array.from({length: 12}, (_, n) => n + 1));
		const checkpoint = join(at(name), 'checkpoints', `step-${best.step}`, 'model.safetensors');
		expect(hashOf(join(at(name), 'model.safetensors'))).toBe(hashOf(checkpoint));
		expect(result.evaluation.after['mine']!['spearman_cosine']).toBe(best.value);
	});

	test('stays beside those that are kept', async () => {
		await run('beside', {epochs: 4, evalSteps: 1, saveBest: true, keep: 1, learningRate: 3e-3});
		const values = evaluationsOf(at('beside')).filter(({step}) => step > 0);
		const best = values.reduce((a, b) => (b.value > a.value ? b : a));
		const kept = [...new Set([12, best.step])].map(step => `step-${step}`);
		expect(readdirSync(join(at('beside'), 'checkpoints')).sort()).toEqual(kept.sort());
	});

	test('is the same when the run was stopped in between', async () => {
		const options = {epochs: 4, evalSteps: 2, saveBest: true, learningRate: 3e-3};
		await run('whole', options);
		const first = run('parts', {...options, ...stoppingAt(4)});
		await expect(first).rejects.toThrow('stopped at 4');
		expect(evaluationsOf(at('parts')).map(({step}) => step)).toEqual([0, 2]);
		const second = run('parts', {...options, ...stoppingAt(7), resume: true});
		await expect(second).rejects.toThrow('stopped at 7');
		const result = await run('parts', {...options, resume: true});
		expect(result.resumedFrom).toBe(7);
		expect(evaluationsOf(at('parts'))).toEqual(evaluationsOf(at('whole')));
		const [parts, whole] = ['parts', 'whole'].map(name => join(at(name), 'model.safetensors'));
		expect(hashOf(parts!)).toBe(hashOf(whole!));
	});
});

describe('patience', () => {
	const options = {epochs: 8, evalSteps: 1, learningRate: 3e-3, patience: 2, minDelta: 0.01};

	/** The step at which so many evaluations in a row brought no rise. */
	function endOf(values: {step: number; value: number}[], patience: number, minDelta: number) {
		let best = Number.NEGATIVE_INFINITY;
		let last = 0;
		for (const {step, value} of values) {
			[best, last] = value > best + minDelta ? [value, step] : [best, last];
			if (step - last >= patience) return {step, last, best};
		}
		return undefined;
	}

	test('ends the run when the metric rises no more', async () => {
		await run('patient', {...options, patience: 99});
		const values = evaluationsOf(at('patient')).filter(({step}) => step > 0);
		const {step, last, best} = endOf(values, 2, 0.01)!;
		expect(step).toBeLessThan(24);
		const result = await run('early', {...options, saveBest: true});
		const stopped = {step, metric: 'mine/spearman_cosine', best, bestStep: last, waited: 2};
		expect(result).toMatchObject({steps: step, stopped});
		const record = JSON.parse(readFileSync(join(at('early'), 'run.json'), 'utf8'));
		expect(record.result.stopped).toEqual(stopped);
		expect(evaluationsOf(at('early'))).toEqual(evaluationsOf(at('patient')).slice(0, step + 1));
		expect(metricsIn(at('early')).at(-1)).toMatchObject({step, waited: 2, stopped: true});
		expect(await run('early', {...options, saveBest: true, resume: true})).toEqual({
			...result,
			resumedFrom: step,
		});
	});

	test('is the same when the run was stopped in between', async () => {
		const whole = await run('unbroken', options);
		const first = run('broken', {...options, ...stoppingAt(whole.steps - 1)});
		await expect(first).rejects.toThrow('stopped at');
		const second = await run('broken', {...options, resume: true});
		expect(second).toMatchObject({steps: whole.steps, stopped: whole.stopped});
		const [broken, unbroken] = ['broken', 'unbroken'].map(name =>
			join(at(name), 'model.safetensors'),
		);
		expect(hashOf(broken!)).toBe(hashOf(unbroken!));
	});

	test.each([
		[{minDelta: 0.1}, 'min-delta: expected --patience'],
		[{patience: 2}, 'patience: expected --eval-steps'],
		[{patience: 2, evalSteps: 1, eval: []}, 'patience: expected --eval to'],
	])('%j is refused', async (asked, message) => {
		await expect(run('refused', asked)).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
			message: expect.stringContaining(message),
		});
	});
});

test('only the newest checkpoints are kept', async () => {
	await run('newest', {epochs: 5, saveSteps: 2, keep: 3});
	const kept = readdirSync(join(at('newest'), 'checkpoints')).sort();
	expect(kept).toEqual(['step-12', 'step-14', 'step-15']);
});
