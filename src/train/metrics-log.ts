// metrics.jsonl: one object per logged step and per evaluation, appended as they come.

import {appendFile, readFile} from 'node:fs/promises';
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

export class MetricsLog {
	readonly #path: string | undefined;

	/** Without a path nothing is written. */
	constructor(path: string | undefined) {
		this.#path = path;
	}

	/**
	Begins anew, or keeps what was logged up to the step that a run goes on from, and of that step's evaluation only
	one that the checkpoint knows of, since another is made again.
	*/
	async start(resumedFrom: number | null, evaluated: number | null): Promise<void> {
		if (this.#path === undefined) return;
		const before = resumedFrom === null ? '' : await readFile(this.#path, 'utf8').catch(() => '');
		const kept = before.split('\n').filter(line => {
			const {step, isEvaluation} = factsOf(line);
			return isEvaluation ? step <= (evaluated ?? -1) : step <= (resumedFrom ?? -1);
		});
		await writeFileAtomic(this.#path, kept.map(line => `${line}\n`).join(''));
	}

	async append(metrics: StepMetrics | EvaluationMetrics): Promise<void> {
		if (this.#path === undefined) return;
		try {
			await appendFile(this.#path, `${JSON.stringify(metrics)}\n`);
		} catch (error) {
			throw writeFailure(this.#path, error);
		}
	}
}

/** What a line is of; a torn last line counts as of no step. */
function factsOf(line: string): {step: number; isEvaluation: boolean} {
	try {
		const value = JSON.parse(line) as {step?: unknown; evaluation?: unknown};
		const step = typeof value.step === 'number' ? value.step : Number.POSITIVE_INFINITY;
		return {step, isEvaluation: value.evaluation !== undefined};
	} catch {
		return {step: Number.POSITIVE_INFINITY, isEvaluation: false};
	}
}
