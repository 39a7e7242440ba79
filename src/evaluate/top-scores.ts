// The best documents of every query, kept while scores of slices of a corpus pass by.

import {giveTurn} from '../pace.js';

/** Exact; equal scores are ordered by the place in the corpus. */
export class TopScores {
	readonly #count: number;
	readonly #room: number;
	/** Of each query what is kept, and behind it what came since it was last put in order. */
	readonly #scores: Float32Array;
	readonly #documents: Int32Array;
	readonly #lengths: Int32Array;
	/** A later document must score above this to be among the best. */
	readonly #limits: Float32Array;
	#seen = 0;

	/** Keeps so many documents for each of so many queries. */
	constructor(queries: number, count: number) {
		this.#count = count;
		this.#room = 2 * count;
		this.#scores = new Float32Array(queries * this.#room);
		this.#documents = new Int32Array(queries * this.#room);
		this.#lengths = new Int32Array(queries);
		this.#limits = new Float32Array(queries).fill(Number.NEGATIVE_INFINITY);
	}

	/** Takes the scores of the next documents of the corpus, queries × documents. */
	async add(scores: Float32Array, signal?: AbortSignal): Promise<void> {
		const queries = this.#lengths.length;
		const documents = scores.length / queries;
		for (let query = 0; query < queries; query++) {
			await giveTurn(signal);
			for (let n = 0; n < documents; n++) {
				const score = scores[query * documents + n]!;
				if (!(score > this.#limits[query]!)) continue;
				const at = query * this.#room + this.#lengths[query]!++;
				this.#scores[at] = score;
				this.#documents[at] = this.#seen + n;
				if (this.#lengths[query] === this.#room) this.#order(query);
			}
		}
		this.#seen += documents;
	}

	/** Places in the corpus and scores of the best documents of a query, best first. */
	of(query: number): [document: number, score: number][] {
		this.#order(query);
		const begin = query * this.#room;
		return Array.from({length: this.#lengths[query]!}, (_, n) => {
			return [this.#documents[begin + n]!, this.#scores[begin + n]!];
		});
	}

	#order(query: number): void {
		const begin = query * this.#room;
		const found = Array.from({length: this.#lengths[query]!}, (_, n) => {
			return {score: this.#scores[begin + n]!, document: this.#documents[begin + n]!};
		});
		found.sort((a, b) => b.score - a.score || a.document - b.document);
		const best = found.slice(0, this.#count);
		for (const [n, {score, document}] of best.entries()) {
			this.#scores[begin + n] = score;
			this.#documents[begin + n] = document;
		}
		this.#lengths[query] = best.length;
		if (best.length === this.#count) this.#limits[query] = best.at(-1)!.score;
	}
}
