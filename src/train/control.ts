// What may be asked of a run while it goes: to pause, to go on, to evaluate and to save now. Whatever is
// asked is done between two steps and changes no bit of what the run ends in.

import {EngineError} from '../errors.js';
import type {Scores} from './evaluations.js';

/** What a run does when it is asked; each as it is after its last step. */
export type Actions = {
	evaluate: () => Promise<Scores>;
	/** Nothing before the first step, which is then waited for. */
	save: (() => Promise<number>) | undefined;
};

type Name = keyof Actions;

type Asked = {
	name: Name;
	serve: (actions: Actions) => Promise<void>;
	refuse: (reason: unknown) => void;
};

export class RunControl {
	readonly #asked: Asked[] = [];
	#isPaused = false;
	#hasEnded = false;
	#wake: () => void = () => undefined;

	get isPaused(): boolean {
		return this.#isPaused;
	}

	/** Stops after the step that computes; what is asked meanwhile is done. */
	pause(): void {
		this.#isPaused = true;
	}

	resume(): void {
		this.#isPaused = false;
		this.#wake();
	}

	/** Resolves to the scores. */
	evaluate(): Promise<Scores> {
		return this.#ask('evaluate', ({evaluate}) => evaluate());
	}

	/** Resolves to the step of the checkpoint. */
	save(): Promise<number> {
		return this.#ask('save', ({save}) => save!());
	}

	/** The moment between two steps: does what was asked, and waits while the run is paused. */
	async between(actions: Actions, signal: AbortSignal | undefined): Promise<void> {
		const wake = () => this.#wake();
		signal?.addEventListener('abort', wake);
		try {
			for (;;) {
				signal?.throwIfAborted();
				const ready = this.#asked.findIndex(({name}) => actions[name] !== undefined);
				if (ready >= 0) await this.#asked.splice(ready, 1)[0]!.serve(actions);
				else if (this.#isPaused) await this.#awoken();
				else return;
			}
		} finally {
			signal?.removeEventListener('abort', wake);
		}
	}

	/** Refuses what was not done yet and what will be asked. */
	end(): void {
		this.#hasEnded = true;
		for (const {refuse} of this.#asked.splice(0)) refuse(hasEnded());
	}

	#ask<T>(name: Name, work: (actions: Actions) => Promise<T>): Promise<T> {
		if (this.#hasEnded) return Promise.reject(hasEnded());
		return new Promise<T>((resolve, reject) => {
			const serve = (actions: Actions) => work(actions).then(resolve, reject);
			this.#asked.push({name, serve, refuse: reject});
			this.#wake();
		});
	}

	#awoken(): Promise<void> {
		return new Promise(resolve => {
			this.#wake = resolve;
		});
	}
}

function hasEnded(): EngineError {
	return new EngineError('DISPOSED', 'run: expected a run that goes on, got one that has ended');
}
