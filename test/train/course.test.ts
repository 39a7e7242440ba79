// How long a run is, and how long its schedule believes it to be.

import {describe, expect, test} from 'vitest';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {loadTiny, quick, rowsOf} from './tiny.js';

/** Rates and rows of the steps, and what was said. */
async function courseOf(options: Partial<TrainOptions>) {
	const rates: number[] = [];
	const rows: number[] = [];
	const messages: string[] = [];
	const result = await train(await loadTiny(), {
		...quick,
		schedule: 'linear',
		warmupSteps: 0,
		...options,
		onStep(step) {
			rates.push(step.learningRate);
			rows.push(step.rows);
		},
		onMessage: message => messages.push(message),
	});
	return {rates, rows, messages: messages.join('\n'), result};
}

describe('a run', () => {
	test('ends at maxSteps or with its epochs, whichever comes first', async () => {
		const cut = await courseOf({epochs: 2, maxSteps: 4});
		expect(cut.rows).toEqual([8, 8, 8, 8]);
		expect((await courseOf({epochs: 1, maxSteps: 100})).rows).toEqual([8, 8, 8]);
	});

	test('that ends early is validated on all held-out rows', async () => {
		const held = async (options: Partial<TrainOptions>) => {
			const {result} = await courseOf({evalLoss: {held: rowsOf(24)}, ...options});
			return result.evaluation.before['held'];
		};
		expect(await held({maxSteps: 1})).toEqual(await held({epochs: 1}));
	});

	test('has the rates of a schedule that is made for more steps, or for fewer', async () => {
		const longer = await courseOf({scheduleSteps: 10});
		for (const [step, rate] of longer.rates.entries()) {
			expect(rate).toBeCloseTo(1e-3 * (1 - step / 10), 12);
		}
		expect((await courseOf({scheduleSteps: 2})).rates).toEqual([1e-3, 5e-4, 0]);
	});

	test('leaves out batches that are not full and counts their rows', async () => {
		const {rows, messages} = await courseOf({batchSize: 10, dropLast: true});
		expect(rows).toEqual([10, 10]);
		expect(messages).toContain('4 rows left out: their batches were not full');
		expect((await courseOf({batchSize: 10})).rows).toEqual([10, 10, 4]);
	});

	test('of too few rows for a batch has one of them all the same, and says so', async () => {
		const {rows, messages} = await courseOf({batchSize: 25, dropLast: true});
		expect(rows).toEqual([24]);
		expect(messages).toContain('24 rows fill no batch; they are one all the same');
	});

	test('cannot have both steps and maxSteps', async () => {
		await expect(courseOf({steps: 2, maxSteps: 2})).rejects.toThrow(/one of steps and max-steps/);
	});
});
