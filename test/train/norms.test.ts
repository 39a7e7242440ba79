// What a step says of its gradients, weights and negatives, against plain arithmetic.

import {describe, expect, test} from 'vitest';
import {type InfoNceOptions, infoNce} from '../../dist/loss/infonce.js';
import {mse} from '../../dist/loss/mse.js';
import {triplet} from '../../dist/loss/triplet.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import type {StepMetrics} from '../../dist/train/metrics-log.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {loadTiny, quick, rowsOf} from './tiny.js';

async function stepsOf(options: Partial<TrainOptions>, model?: EmbeddingModel) {
	const steps: StepMetrics[] = [];
	const onStep = (step: StepMetrics) => void steps.push(step);
	await train(model ?? (await loadTiny()), {...quick, ...options, onStep});
	return steps;
}

/** The norm in float64 of one part of all parameters that begin with a name. */
async function normOf({core}: EmbeddingModel, part: 'weight' | 'gradient', begin: string) {
	let sum = 0;
	for (const {name, rows, columns} of core.parameters()) {
		if (!name.startsWith(begin)) continue;
		const values = new Float32Array(rows * columns);
		await core.read(part, name, 0, values);
		sum += values.reduce((total, value) => total + value * value, 0);
	}
	return Math.sqrt(sum);
}

describe('the norms of a step', () => {
	const parts = {embeddings: 'embedding.', 'blocks.0': 'blocks.0.', 'blocks.2': 'blocks.2.'};

	test('are those of the weights that it used and the gradients that it found', async () => {
		const model = await loadTiny();
		const before = new Map<string, number>();
		for (const [part, begin] of Object.entries(parts)) {
			before.set(part, await normOf(model, 'weight', begin));
		}
		const [only] = await stepsOf({steps: 1, warmupRatio: 0, learningRate: 1e-2}, model);
		expect(Object.keys(only!.weightNorms!)).toEqual([
			...['embeddings', 'blocks.0', 'blocks.1', 'blocks.2'],
		]);
		for (const [part, begin] of Object.entries(parts)) {
			expect(only!.weightNorms![part]).toBeCloseTo(before.get(part)!, 4);
			const gradient = await normOf(model, 'gradient', begin);
			expect(only!.gradientNorms![part]).toBeCloseTo(gradient, 4);
			expect(await normOf(model, 'weight', begin)).not.toBeCloseTo(before.get(part)!, 4);
		}
	});

	test('make up the norm of all gradients, with those of the loss', async () => {
		const loss = infoNce({learnTemperature: true});
		for (const {gradientNorm, gradientNorms, weightNorms, temperature} of await stepsOf({loss})) {
			const squares = Object.values(gradientNorms!).map(norm => norm * norm);
			expect(Math.sqrt(squares.reduce((a, b) => a + b))).toBeCloseTo(gradientNorm, 4);
			expect(gradientNorms!['loss']).toBeGreaterThan(0);
			expect(weightNorms!['loss']).toBeCloseTo(temperature!, 7);
		}
	});

	test('leave out the gradients of what is frozen, and are there when a step is logged', async () => {
		const steps = await stepsOf({freeze: ['embeddings', 'blocks:1'], loggingSteps: 2});
		expect(steps.map(({gradientNorms}) => gradientNorms && Object.keys(gradientNorms))).toEqual([
			...[undefined, ['blocks.0', 'blocks.2'], ['blocks.0', 'blocks.2']],
		]);
	});

	test('have the same bits for any number of threads and any chunks', async () => {
		const one = await stepsOf({}, await loadTiny({threads: 1}));
		const two = await stepsOf({chunkTokens: 40}, await loadTiny({threads: 2}));
		const norms = (steps: StepMetrics[]) =>
			steps.map(({gradientNorms, weightNorms}) => ({gradientNorms, weightNorms}));
		expect(norms(two)).toEqual(norms(one));
	});
});

describe('the negatives of a query', () => {
	const hard = rowsOf(8).filter(({negatives}) => negatives.length > 0).length;
	const cases: [InfoNceOptions, object][] = [
		[{}, {local: 7, hard}],
		[{candidates: ['ownHard', 'inBatchPositives']}, {local: 7, hard: hard / 8}],
		[{candidates: ['otherHard']}, {local: 0, hard: hard - hard / 8}],
		[{candidates: ['inBatchPositives']}, {local: 7, hard: 0}],
		[{directions: ['dq', 'qd']}, {local: 7, hard: 0}],
		[
			{directions: ['qd', 'dq', 'qq'], partition: 'joint'},
			{local: 21, hard},
		],
	];

	test.each(cases)('with %j are %j', async (options, expected) => {
		const [first] = await stepsOf({data: rowsOf(8), loss: infoNce(options)});
		expect(first!.negatives).toEqual(expected);
	});

	test('are the own ones of a loss that sees no others', async () => {
		const data = rowsOf(16).filter(({negatives}) => negatives.length > 0);
		const steps = await stepsOf({data, loss: triplet({margin: 0.3})});
		expect(steps.map(({negatives}) => negatives)).toEqual([{local: 0, hard: 1}]);
		const [alone] = await stepsOf({
			loss: mse(),
			data: rowsOf(4).map(row => ({...row, score: 0.5})),
			negatives: 0,
		});
		expect(alone!.negatives).toBeUndefined();
	});

	test('of a queue are counted beside them, and masked ones by their rule', async () => {
		const loss = infoNce({queue: 8, mask: ['same-text', 'margin']});
		const steps = await stepsOf({loss, negatives: 0});
		expect(steps.map(({negatives}) => negatives!.queue)).toEqual([0, 8, 8]);
		for (const {negatives, masked, candidates, rows} of steps) {
			const {local, queue, masked: shares} = negatives!;
			expect(shares).toEqual({
				...{'same-text': masked!['same-text']! / rows, margin: masked!['margin']! / rows},
			});
			expect(1 + local + queue! - shares!['margin']!).toBeCloseTo(candidates!, 5);
			expect(shares!['margin']).toBeGreaterThan(0);
		}
	});
});

test('the cosine to the positives of others is their plain mean', async () => {
	const rows = rowsOf(6);
	const model = await loadTiny();
	const texts = [...rows.map(({query}) => query), ...rows.map(({positive}) => positive)];
	const {data, width} = await model.encode(texts, {normalize: true});
	const cosine = (a: number, b: number) =>
		Array.from({length: width}, (_, i) => data[a * width + i]! * data[b * width + i]!).reduce(
			(x, y) => x + y,
		);
	const pairs = rows.flatMap((_, a) =>
		rows.flatMap((__, b) => (a === b ? [] : [cosine(a, 6 + b)])),
	);
	const [first] = await stepsOf({data: rows, dropout: 0}, model);
	expect(first!.inBatchCosine).toBeCloseTo(pairs.reduce((a, b) => a + b) / pairs.length, 5);
	expect(first!.cosineGap).toBe(first!.positiveCosine! - first!.negativeCosine!);
});
