// What people see of a training run: a meter over the steps, evaluations as they come, a last line.

import {join} from 'node:path';
import type {EvaluationMetrics, StepMetrics} from '../train/metrics-log.js';
import type {TrainOptions} from '../train/train.js';
import type {TrainResult} from '../train/trainer.js';
import type {Context} from './command.js';
import {durationText, type Meter} from './meter.js';

type Hooks = Required<Pick<TrainOptions, 'onStep' | 'onEvaluate' | 'onMessage'>>;

export type TrainProgress = Hooks & {
	/** Ends the meter, says how many texts were cut. */
	stop(): void;
};

/** Length of a run: so many steps, or so many passes over the data. */
export type Length = {steps?: number | undefined; epochs?: number | undefined};

export async function trainProgress(
	length: Length,
	{terminal}: Pick<Context, 'terminal'>,
): Promise<TrainProgress> {
	const meter: Meter = await terminal.meter({label: 'train', unit: 'rows'});
	const seen = {rows: 0, queries: 0, documents: 0, begin: undefined as number | undefined};
	return {
		onStep(step) {
			seen.rows += step.rows;
			seen.queries += step.truncatedQueries;
			seen.documents += step.truncatedDocuments;
			const at = shareOf(step, length);
			// A run that goes on from a checkpoint begins in the middle.
			seen.begin ??= at - stepShare(step, at);
			const share = Math.min(1, (at - seen.begin) / Math.max(1 - seen.begin, 1e-9));
			const note = `step ${step.step}, loss ${step.loss.toPrecision(4)}`;
			meter.update({count: seen.rows, share, note});
		},
		onEvaluate: evaluation => terminal.note(evaluationText(evaluation)),
		onMessage: message => terminal.note(message),
		stop() {
			meter.stop();
			if (seen.queries + seen.documents === 0) return;
			terminal.note(`cut for their length: ${seen.queries} queries, ${seen.documents} documents`);
		},
	};
}

export function resultText(
	{steps, rows, loss, seconds, rowsPerSecond, output, stopped}: TrainResult,
	modelPlace = '',
): string {
	const place = output === null ? '' : `; the model is in ${join(output, modelPlace)}`;
	const rate = `${rowsPerSecond.toPrecision(3)} rows/s`;
	const early =
		stopped &&
		`stopped early: ${stopped.metric} has not risen for ${stopped.waited} evaluations, ` +
			`since ${stopped.best.toFixed(4)} at step ${stopped.bestStep}\n`;
	return `${early ?? ''}${steps} steps, ${rows} rows in ${durationText(seconds)}, ${rate}, last loss ${loss.toPrecision(4)}${place}`;
}

function shareOf({step, epoch}: StepMetrics, {steps, epochs = 1}: Length): number {
	return Math.min(1, steps === undefined ? epoch / epochs : step / steps);
}

function stepShare({step}: StepMetrics, share: number): number {
	return share / step;
}

/** The metric of each set that people compare first. */
function evaluationText({step, evaluation}: EvaluationMetrics): string {
	const parts = Object.entries(evaluation).map(([name, metrics]) => {
		const metric = ['ndcg@10', 'spearman_cosine'].find(one => one in metrics);
		const [first = ''] = Object.keys(metrics);
		const shown = metric ?? first;
		return `${name} ${shown} ${metrics[shown]?.toFixed(4)}`;
	});
	return `step ${step}: ${parts.join(', ')}`;
}
