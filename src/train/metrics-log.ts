// metrics.jsonl: one object per logged step and per evaluation, appended as they come.

import {appendFile, readFile, rm} from 'node:fs/promises';
import {writeFailure} from '../files/failures.js';
import {writeFileAtomic} from '../files/output.js';
import type {StepMetrics} from './step-metrics.js';

export type {StepMetrics} from './step-metrics.js';

export type EvaluationMetrics = {
	step: number;
	evaluation: Record<string, Record<string, number>>;
	/** With --patience: evaluations without a rise, and whether they end the run here. */
	waited?: number;
	stopped?: boolean;
	/** With --patience-significant: of the difference to the last rise. */
	p?: number;
	/** Asked for in between by a person or program: it decides nothing. */
	requested?: true;
};

/** Where a run goes on from: the step, and the newest evaluation that is known there; null at the beginning. */
export type Progress = {
	step: number | null;
	evaluated: number | null;
	/** Whether the evaluation of that step is still to come, or to come again. */
	isEvaluationLeft: boolean;
};

/** What is told of every step that is logged and every evaluation. */
export type RunLog = {
	/** Begins anew, or keeps what was logged up to where the run goes on from. */
	start(progress: Progress): Promise<void>;
	append(metrics: StepMetrics | EvaluationMetrics): Promise<void>;
	/** Leaves nothing of a run that failed before its first checkpoint. */
	discard(): Promise<void>;
};

/** Several logs as one. */
export function joinedLogs(logs: readonly RunLog[]): RunLog {
	return {
		async start(progress) {
			for (const log of logs) await log.start(progress);
		},
		async append(metrics) {
			for (const log of logs) await log.append(metrics);
		},
		async discard() {
			for (const log of logs) await log.discard();
		},
	};
}

export class MetricsLog implements RunLog {
	readonly #path: string;

	constructor(path: string) {
		this.#path = path;
	}

	/** Of evaluations that nobody asked for only those are kept that the checkpoint knows of: others are made again. */
	async start({step: last, evaluated}: Progress): Promise<void> {
		const before = last === null ? '' : await readFile(this.#path, 'utf8').catch(() => '');
		const kept = before.split('\n').filter(line => {
			const {step, isRepeated} = factsOf(line);
			return step <= ((isRepeated ? evaluated : last) ?? -1);
		});
		await writeFileAtomic(this.#path, kept.map(line => `${line}\n`).join(''));
	}

	async append(metrics: StepMetrics | EvaluationMetrics): Promise<void> {
		try {
			await appendFile(this.#path, `${JSON.stringify(metrics)}\n`);
		} catch (error) {
			throw writeFailure(this.#path, error);
		}
	}

	async discard(): Promise<void> {
		await rm(this.#path, {force: true});
	}
}

/** What a line is of, and whether the run makes it anew by itself; a torn last line counts as of no step. */
function factsOf(line: string): {step: number; isRepeated: boolean} {
	try {
		const value = JSON.parse(line) as {step?: unknown; evaluation?: unknown; requested?: unknown};
		const step = typeof value.step === 'number' ? value.step : Number.POSITIVE_INFINITY;
		return {step, isRepeated: value.evaluation !== undefined && value.requested !== true};
	} catch {
		return {step: Number.POSITIVE_INFINITY, isRepeated: false};
	}
}
