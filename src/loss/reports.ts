// What several losses of one batch say of themselves, as one report: counts add up, others are means.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';

type Said = {value: number | Variable; share: number};

/** Gathers the reports of the parts of a batch, each with its share of it. */
export class Reports {
	readonly #ops: LossOperations;
	readonly #said = new Map<string, Said[]>();

	constructor(ops: LossOperations) {
		this.#ops = ops;
	}

	/** Operations for a part of that share, whose reports are kept back. */
	of(share: number): LossOperations {
		const report = (name: string, value: number | Variable): void => {
			const others = this.#said.get(name) ?? [];
			this.#said.set(name, [...others, {value, share}]);
		};
		return {...this.#ops, report};
	}

	/** Reports what was gathered. */
	tell(): void {
		for (const [name, said] of this.#said) this.#ops.report(name, this.#united(name, said));
	}

	#united(name: string, said: readonly Said[]): number | Variable {
		const isCount = name.startsWith('masked.');
		const whole = said.reduce((sum, {share}) => sum + share, 0);
		const weights = said.map(({share}) => (isCount ? 1 : share / whole));
		if (said.length === 1) return said[0]!.value;
		const values = said.map(({value}) => value);
		if (values.every(value => typeof value === 'number')) {
			return values.reduce<number>((sum, value, n) => sum + weights[n]! * (value as number), 0);
		}
		const terms = values.map((value, n) => {
			const term = typeof value === 'number' ? this.#ops.constant([value], 1, 1) : value;
			return this.#ops.scale(this.#ops.detach(term), weights[n]!);
		});
		return this.#ops.sum(this.#ops.concatColumns(terms));
	}
}

/** The same operations with nothing reported. */
export function quiet(ops: LossOperations): LossOperations {
	return {...ops, report: () => undefined};
}
