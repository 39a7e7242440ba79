// Counts of numbers, from which a report takes its quantiles and histograms; memory grows with how
// many different numbers there are, never with how many texts.

/** How many different numbers a histogram names. */
const mostBars = 32;

export interface Spread {
	count: number;
	min: number;
	mean: number;
	p50: number;
	p90: number;
	p99: number;
	max: number;
}

/** Whole numbers, each with how often it came. */
export class Tally {
	readonly #counts = new Map<number, number>();
	#count = 0;
	#sum = 0;

	push(value: number): void {
		this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
		this.#count++;
		this.#sum += value;
	}

	get count(): number {
		return this.#count;
	}

	get sum(): number {
		return this.#sum;
	}

	/** How many are above a number. */
	above(limit: number): number {
		return [...this.#counts].reduce((sum, [value, n]) => sum + (value > limit ? n : 0), 0);
	}

	/** Nothing where nothing was counted. */
	spread(): Spread | undefined {
		if (this.#count === 0) return;
		const rising = [...this.#counts].sort((a, b) => a[0] - b[0]);
		const at = (share: number) => {
			let left = Math.ceil(share * this.#count);
			for (const [value, n] of rising) {
				left -= n;
				if (left <= 0) return value;
			}

			return rising.at(-1)![0];
		};
		const [min, max] = [rising[0]![0], rising.at(-1)![0]];
		const mean = this.#sum / this.#count;
		return {count: this.#count, min, mean, p50: at(0.5), p90: at(0.9), p99: at(0.99), max};
	}

	/** How often each number came; from the bar `32+` on they are taken together. */
	histogram(): Record<string, number> {
		const bars: Record<string, number> = {};
		for (const [value, n] of [...this.#counts].sort((a, b) => a[0] - b[0])) {
			const name = value < mostBars ? String(value) : `${mostBars}+`;
			bars[name] = (bars[name] ?? 0) + n;
		}

		return bars;
	}
}

/** Any numbers: where they lie, and in ten equal parts of that. */
export class Range {
	count = 0;
	min = Number.POSITIVE_INFINITY;
	max = Number.NEGATIVE_INFINITY;
	/** Of Welford: the mean, and squares about it, without cancellation. */
	#mean = 0;
	#squares = 0;

	push(value: number): void {
		this.count++;
		const from = value - this.#mean;
		this.#mean += from / this.count;
		this.#squares += from * (value - this.#mean);
		this.min = Math.min(this.min, value);
		this.max = Math.max(this.max, value);
	}

	facts(): {count: number; min: number; mean: number; deviation: number; max: number} | undefined {
		if (this.count === 0) return;
		const deviation = Math.sqrt(this.#squares / this.count);
		return {count: this.count, min: this.min, mean: this.#mean, deviation, max: this.max};
	}
}

/** How often each word came; of endless words the first are counted apart. */
export class Words {
	readonly #counts = new Map<string, number>();
	readonly #most: number;
	/** What came after there were too many different ones. */
	others = 0;

	constructor(most: number) {
		this.#most = most;
	}

	push(word: string): void {
		const known = this.#counts.get(word);
		if (known === undefined && this.#counts.size === this.#most) this.others++;
		else this.#counts.set(word, (known ?? 0) + 1);
	}

	/** The words of a single time. */
	single(): string[] {
		return [...this.#counts].filter(([, n]) => n === 1).map(([word]) => word);
	}

	/** The most frequent first. */
	counts(most = this.#most): Record<string, number> {
		const ranked = [...this.#counts].sort((a, b) => b[1] - a[1]);
		const rest = ranked.slice(most).reduce((sum, [, n]) => sum + n, this.others);
		return {...Object.fromEntries(ranked.slice(0, most)), ...(rest > 0 && {others: rest})};
	}
}
