// A mean of the weights over the steps of a run, which is what is evaluated and saved as the model.
//
// While a step computes, the model holds its own weights; for an evaluation or a checkpoint both change
// places, to the bit. So a checkpoint is a model of the means, and its trainer/ has the weights.

import {EngineError} from '../errors.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {kebabCase} from '../option-names.js';

export type AverageSettings = {
	ema?: number | undefined;
	averageFrom?: number | undefined;
	averageEvery?: number | undefined;
};

/** How far the mean goes towards the weights that a step (from 1) leaves. */
type Shares = (step: number) => number;

/** Refuses two kinds of means, and what no mean reads. */
export function expectAverages({ema, averageFrom, averageEvery}: AverageSettings): void {
	const refuse = (option: string, what: string): never => {
		throw new EngineError('OPTION_CONFLICT', `${kebabCase(option)}: ${what}`);
	};
	if (ema !== undefined && averageFrom !== undefined) {
		refuse('averageFrom', 'expected this or --ema, got both');
	}
	if (averageEvery !== undefined && averageFrom === undefined) {
		refuse('averageEvery', 'expected --average-from beside it, got none');
	}
}

/**
An exponential mean has the one decay from the first step on, and begins as the weights that the run begins
with (as NeMo, open-retrievals and torch.optim.swa_utils have it: no warm-up of the decay).

An equal mean (stochastic weight averaging, Izmailov and others 2018) is of the weights after the first step
beyond that share of the run and after every so many steps from there; until then it is the weights.
*/
export function averageShares(
	{ema, averageFrom, averageEvery = 1}: AverageSettings,
	steps: number,
): Shares | undefined {
	if (ema !== undefined) return () => 1 - ema;
	if (averageFrom === undefined) return undefined;
	// A share such as 0.29 of 100 steps is a hair less than 29.
	const first = Math.min(steps, Math.floor(averageFrom * steps + 1e-9) + 1);
	return step => {
		if (step <= first) return 1;
		const since = step - first;
		return since % averageEvery === 0 ? 1 / (1 + since / averageEvery) : 0;
	};
}

/** What a card says of the weights; nothing where they are those of the last step. */
export function averageText({ema, averageFrom, averageEvery = 1}: AverageSettings): string {
	if (ema !== undefined) return ` The weights are their exponential mean of decay ${ema}.`;
	if (averageFrom === undefined) return '';
	const every = averageEvery === 1 ? 'each step' : `every ${averageEvery} steps`;
	return ` The weights are their mean after ${every}, from ${averageFrom} of the run on.`;
}

/** What a person should know of a mean that hardly moves. */
export function averageWarning({ema}: AverageSettings, steps: number): string | undefined {
	const left = (ema ?? 0) ** steps;
	if (left < 0.1) return undefined;
	const share = Math.round(100 * left);
	return (
		`after ${steps} steps a mean of decay ${ema} still has ${share} % of the weights that the run begins with; ` +
		'lower --ema, or take --average-from'
	);
}

export class WeightAverages {
	readonly #model: EmbeddingModel;
	readonly #shares: Shares | undefined;
	#isSettled = false;

	constructor(model: EmbeddingModel, shares: Shares | undefined) {
		this.#model = model;
		this.#shares = shares;
	}

	/** How far the means go towards the weights that a step leaves; 0 where there are none. */
	shareAt(step: number): number {
		return this.#shares?.(step) ?? 0;
	}

	/** Does the work while the means, where there are any, are the model. */
	async asModel<T>(work: () => Promise<T>): Promise<T> {
		if (!this.#shares || this.#isSettled) return work();
		await this.#exchange();
		try {
			return await work();
		} finally {
			await this.#exchange();
		}
	}

	/** Takes up a checkpoint, whose model is the means and whose means are the weights. */
	async resume(): Promise<void> {
		if (this.#shares) await this.#exchange();
	}

	/** Makes the means the model for good. */
	async settle(): Promise<void> {
		if (!this.#shares || this.#isSettled) return;
		await this.#exchange();
		this.#isSettled = true;
	}

	async #exchange(): Promise<void> {
		this.#model.core.exchangeAverages();
		await this.#model.refresh();
	}
}
