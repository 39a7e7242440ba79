// startTraining(): a run as an object, to be watched and steered by the program that it runs in.

import type {EmbeddingModel} from '../model/embedding-model.js';
import {RunControl} from './control.js';
import type {Scores} from './evaluations.js';
import type {EvaluationMetrics, StepMetrics} from './metrics-log.js';
import type {TrainOptions} from './train.js';
import type {Saved, TrainResult} from './trainer.js';

/** What happens in a run, in its order. */
export type TrainEvent =
	| {type: 'step'; step: number; metrics: StepMetrics}
	| {type: 'evaluation'; step: number; evaluation: EvaluationMetrics}
	| {type: 'save'; step: number; folder: string}
	| {type: 'message'; message: string};

type Listener = (event: TrainEvent) => void;

/** A run that goes; loop over it for what happens from then on. */
export class TrainingRun implements AsyncIterable<TrainEvent> {
	/** Resolves to what the run did; rejects as train() does. */
	readonly result: Promise<TrainResult>;
	readonly #control = new RunControl();
	readonly #canceller = new AbortController();
	readonly #listeners = new Set<Listener>();

	constructor(model: EmbeddingModel, options: TrainOptions) {
		const {signal: given} = options;
		const own = this.#canceller.signal;
		const signal = given ? AbortSignal.any([given, own]) : own;
		const watching = {...options, ...this.#watching(options), signal};
		this.result = this.#run(model, watching).finally(() => this.#control.end());
	}

	async #run(model: EmbeddingModel, options: TrainOptions): Promise<TrainResult> {
		const {trainWith} = await import('./train.js');
		return trainWith(model, options, this.#control);
	}

	get isPaused(): boolean {
		return this.#control.isPaused;
	}

	/** Waits after the step that computes until resume(). */
	pause(): void {
		this.#control.pause();
	}

	resume(): void {
		this.#control.resume();
	}

	/** Evaluates after the step that computes; best checkpoint and patience take no notice of it. */
	evaluateNow(): Promise<Scores> {
		return this.#control.evaluate();
	}

	/** Writes a checkpoint after the step that computes; resolves to its step. */
	saveNow(): Promise<number> {
		return this.#control.save();
	}

	/** Ends the run after a checkpoint; `result` rejects with the reason. */
	cancel(reason: unknown = new DOMException('The run was cancelled', 'AbortError')): void {
		this.#canceller.abort(reason);
	}

	/**
	The events from now on. The run does not wait for who looks at them; leaving the loop leaves the run
	alone. Ends when the run has ended, and throws what it failed with.
	*/
	[Symbol.asyncIterator](): AsyncIterator<TrainEvent, undefined> {
		const events: TrainEvent[] = [];
		let wake: () => void = () => undefined;
		const listen: Listener = event => {
			events.push(event);
			wake();
		};
		let end: {error?: unknown} | undefined;
		const ended = (how: {error?: unknown}) => {
			end = how;
			wake();
		};
		this.#listeners.add(listen);
		this.result.then(
			() => ended({}),
			error => ended({error}),
		);
		const leave = async () => {
			this.#listeners.delete(listen);
			ended({});
			return {done: true, value: undefined} as const;
		};
		return {
			next: async () => {
				while (events.length === 0 && !end) {
					await new Promise<void>(resolve => {
						wake = resolve;
					});
				}
				const event = events.shift();
				if (event) return {done: false, value: event};
				const error = end?.error;
				await leave();
				if (error !== undefined) throw error;
				return {done: true, value: undefined};
			},
			return: leave,
		};
	}

	/** The callbacks of the options, and beside them what the loops hear. */
	#watching({onStep, onEvaluate, onSave, onMessage}: TrainOptions) {
		const tell = (event: TrainEvent) => {
			for (const listen of this.#listeners) listen(event);
		};
		return {
			onStep: (metrics: StepMetrics) => {
				onStep?.(metrics);
				tell({type: 'step', step: metrics.step, metrics});
			},
			onEvaluate: (evaluation: EvaluationMetrics) => {
				onEvaluate?.(evaluation);
				tell({type: 'evaluation', step: evaluation.step, evaluation});
			},
			onSave: (saved: Saved) => {
				onSave?.(saved);
				tell({type: 'save', ...saved});
			},
			onMessage: (message: string) => {
				onMessage?.(message);
				tell({type: 'message', message});
			},
		};
	}
}

/**
Begins to fine-tune the model in place. Options and data are checked as by train().

@example
const run = startTraining(model, {data: 'pairs.jsonl', output: 'tuned'});
for await (const event of run) {
	if (event.type === 'step' && event.metrics.loss > 10) run.cancel();
}
await run.result;
*/
export function startTraining(model: EmbeddingModel, options: TrainOptions): TrainingRun {
	return new TrainingRun(model, options);
}
