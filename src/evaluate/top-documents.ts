// The best documents of every query, kept on the device while slices of a corpus pass by.

import {cancellable, type NativeDevice, type Tensor} from '../native.js';
import {giveTurn} from '../pace.js';

/** Embeddings of the queries, row after row. */
type Queries = {data: Float32Array; rows: number; width: number};

type SearchOptions = {
	/** Documents kept per query; at most as many as the corpus has. */
	count: number;
	signal?: AbortSignal | undefined;
};

const elementsAtOnce = 2 ** 18;

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

	private constructor(device: NativeDevice, {rows, width}: Queries, options: SearchOptions) {
		const {count, signal} = options;
		this.#device = device;
		this.#signal = signal;
		this.#width = width;
		this.#count = count;
		this.#queries = device.tensor(rows, width, 'f32');
		this.#scores = device.tensor(rows, count, 'f32');
		this.#ids = device.tensor(rows, count, 'i32');
		this.#best = {
			scores: new Float32Array(rows * count),
			ids: new Int32Array(rows * count),
		};
	}

	/** Makes ready to search the best documents of these queries. */
	static async open(
		device: NativeDevice,
		queries: Queries,
		options: SearchOptions,
	): Promise<TopDocuments> {
		const top = new TopDocuments(device, queries, options);
		try {
			await top.#write(top.#queries, at => queries.data.subarray(at.from, at.to));
			// Places that hold nothing yet, as the op wants them.
			await top.#write(top.#scores, at => {
				return new Float32Array(at.to - at.from).fill(Number.NEGATIVE_INFINITY);
			});
			await top.#write(top.#ids, at => new Int32Array(at.to - at.from).fill(-1));
			return top;
		} catch (error) {
			top.dispose();
			throw error;
		}
	}

	/** Searches the next documents of the corpus; comes back when the search is on its way. */
	async add(data: Float32Array): Promise<void> {
		const rows = data.length / this.#width;
		const corpus = this.#device.tensor(rows, this.#width, 'f32');
		try {
			await this.#write(corpus, at => data.subarray(at.from, at.to));
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

	/** Copies rows to the device, a few at a time, since a copy holds the event loop. */
	async #write(
		tensor: Tensor,
		part: (elements: {from: number; to: number}) => Float32Array | Int32Array,
	): Promise<void> {
		const {rows, columns} = tensor;
		const rowsAtOnce = Math.max(1, Math.floor(elementsAtOnce / columns));
		for (let row = 0; row < rows; row += rowsAtOnce) {
			await giveTurn(this.#signal);
			const count = Math.min(rowsAtOnce, rows - row);
			const elements = {from: row * columns, to: (row + count) * columns};
			const slice = tensor.slice(row, count);
			this.#device.write(slice, part(elements));
			slice.dispose();
		}
	}

	dispose(): void {
		for (const tensor of [this.#queries, this.#scores, this.#ids]) tensor.dispose();
	}
}
