// The best documents of every query, kept on the device while slices of a corpus pass by.

import {cancellable, type NativeDevice, type Tensor} from '../native.js';

/** Embeddings of the queries, row after row. */
type Queries = {data: Float32Array; rows: number; width: number};

type SearchOptions = {
	/** Documents kept per query; at most as many as the corpus has. */
	count: number;
	signal?: AbortSignal | undefined;
};

/** Exact search by inner product; equal scores are ordered by the place in the corpus. */
export class TopDocuments {
	readonly #device: NativeDevice;
	readonly #signal: AbortSignal | undefined;
	readonly #width: number;
	readonly #count: number;
	readonly #queries: Tensor;
	readonly #scores: Tensor;
	readonly #ids: Tensor;
	readonly #best: {scores: Float32Array; ids: Int32Array};
	#documents = 0;

	constructor(device: NativeDevice, {data, rows, width}: Queries, {count, signal}: SearchOptions) {
		this.#device = device;
		this.#signal = signal;
		this.#width = width;
		this.#count = count;
		this.#queries = device.tensor(rows, width, 'f32');
		this.#scores = device.tensor(rows, count, 'f32');
		this.#ids = device.tensor(rows, count, 'i32');
		// Places that hold nothing yet, as the op wants them.
		this.#best = {
			scores: new Float32Array(rows * count).fill(Number.NEGATIVE_INFINITY),
			ids: new Int32Array(rows * count).fill(-1),
		};
		device.write(this.#queries, data);
		device.write(this.#scores, this.#best.scores);
		device.write(this.#ids, this.#best.ids);
	}

	/** Searches the next documents of the corpus; returns when they are on their way. */
	add(data: Float32Array): void {
		const rows = data.length / this.#width;
		const corpus = this.#device.tensor(rows, this.#width, 'f32');
		try {
			this.#device.write(corpus, data);
			const [queries, scores, ids] = [this.#queries, this.#scores, this.#ids];
			this.#device.run('topK', {queries, corpus, base: this.#documents, scores, ids});
			this.#documents += rows;
		} finally {
			corpus.dispose();
		}
	}

	/** Waits for the whole search; afterwards `of` knows the results. */
	async finish(): Promise<void> {
		const {scores, ids} = this.#best;
		await cancellable(this.#signal, canceller =>
			this.#device.read(this.#scores, scores, canceller),
		);
		await cancellable(this.#signal, canceller => this.#device.read(this.#ids, ids, canceller));
	}

	/** Places in the corpus and scores of the best documents of a query, best first. */
	of(query: number): [document: number, score: number][] {
		const found: [number, number][] = [];
		for (let at = query * this.#count; at < (query + 1) * this.#count; at++) {
			const document = this.#best.ids[at]!;
			if (document < 0) break;
			found.push([document, this.#best.scores[at]!]);
		}
		return found;
	}

	dispose(): void {
		for (const tensor of [this.#queries, this.#scores, this.#ids]) tensor.dispose();
	}
}
