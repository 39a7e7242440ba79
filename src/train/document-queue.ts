// Documents of earlier steps for a loss that wants more negatives than a batch has. They keep the
// vectors that the model gave them then, so they grow stale; how old they are is reported.
//
// A ring of vectors on the device; beside each what is known of it, as numbers that float32 holds
// exactly, so that both live in checkpoints and a run goes on to the same bits.

import type {Tape, Variable} from '../autograd/tape.js';
import type {ColumnsKnown, LossQueue} from '../loss/loss.js';
import type {NativeDevice, Tensor} from '../native.js';

const hashed = ['texts', 'queries', 'documents'] as const;

/** A number below 2⁵⁴ as three of 18 bits. */
const digits = 3;
const base = 2 ** 18;

/** Of each document: three numbers, its set and the step that it is of. A last row has the ring's state. */
const width = hashed.length * digits + 2;

type Pending = {vectors: Variable; known: ColumnsKnown | undefined; step: number};

export class DocumentQueue {
	readonly #device: NativeDevice;
	readonly #vectors: Tensor;
	readonly #facts: Tensor;
	readonly #known: ColumnsKnown;
	readonly #steps: Float64Array;
	#next = 0;
	#filled = 0;
	#pending: Pending | undefined;

	constructor(device: NativeDevice, length: number, columns: number) {
		this.#device = device;
		this.#vectors = device.tensor(length, columns, 'f32');
		this.#facts = device.tensor(length + 1, width, 'f32');
		for (const tensor of [this.#vectors, this.#facts]) {
			const x = device.tensor(1, 1, 'f32');
			device.write(x, new Float32Array(1));
			device.run('spread', {scale: 1, x, y: tensor});
			x.dispose();
		}
		const numbers = () => new Float64Array(length);
		this.#known = {
			texts: numbers(),
			queries: numbers(),
			documents: numbers(),
			sets: numbers(),
		};
		this.#steps = numbers();
	}

	/** The queue as the loss of a step sees it; without `push` it adds nothing to it. */
	on(tape: Tape, step: number, {push = true}: {push?: boolean} = {}): LossQueue {
		if (push) this.#pending = undefined;
		const filled = this.#filled;
		const {texts, queries, documents, sets} = this.#known;
		const part = (values: Float64Array) => values.slice(0, filled);
		const ages = part(this.#steps).map(made => step - made);
		return {
			vectors: filled > 0 ? tape.constant(tape.own(this.#vectors.slice(0, filled))) : undefined,
			known: {
				texts: part(texts),
				queries: part(queries),
				documents: part(documents),
				sets: part(sets),
			},
			age: {
				mean: filled > 0 ? ages.reduce((sum, age) => sum + age, 0) / filled : 0,
				most: ages.reduce((most, age) => Math.max(most, age), 0),
			},
			push: (vectors, known) => {
				if (push) this.#pending = {vectors, known, step};
			},
		};
	}

	/** Takes in what the loss pushed, now that its step is done. */
	commit(): void {
		if (!this.#pending) return;
		const {vectors, known, step} = this.#pending;
		this.#pending = undefined;
		const length = this.#steps.length;
		for (let row = Math.max(0, vectors.rows - length); row < vectors.rows; ) {
			const count = Math.min(vectors.rows - row, length - this.#next);
			const x = vectors.tensor.slice(row, count);
			this.#device.run('paste', {row: this.#next, x, y: this.#vectors});
			x.dispose();
			for (let n = 0; n < count; n++) this.#note(this.#next + n, known, row + n, step);
			this.#write(this.#next, count);
			row += count;
			this.#filled = Math.max(this.#filled, this.#next + count);
			this.#next = (this.#next + count) % length;
		}
		const state = new Float32Array(width);
		state.set([this.#next % base, Math.floor(this.#next / base)]);
		state.set([this.#filled % base, Math.floor(this.#filled / base)], 2);
		this.#put(length, state);
	}

	/** Everything that a checkpoint keeps. */
	tensors(): {key: string; tensor: Tensor}[] {
		return [
			{key: 'loss.queue', tensor: this.#vectors},
			{key: 'loss.queue.facts', tensor: this.#facts},
		];
	}

	/** Reads what is known of the documents, after a checkpoint has filled the tensors. */
	async restored(): Promise<void> {
		const length = this.#steps.length;
		const facts = new Float32Array((length + 1) * width);
		await this.#device.read(this.#facts, facts);
		for (let place = 0; place < length; place++) {
			const row = facts.subarray(place * width, (place + 1) * width);
			for (const [n, name] of hashed.entries()) {
				this.#known[name][place] = numberOf(row.subarray(n * digits, (n + 1) * digits));
			}
			this.#known.sets[place] = row[width - 2]!;
			this.#steps[place] = row[width - 1]!;
		}
		const state = facts.subarray(length * width);
		this.#next = numberOf(state.subarray(0, 2));
		this.#filled = numberOf(state.subarray(2, 4));
	}

	dispose(): void {
		this.#vectors.dispose();
		this.#facts.dispose();
	}

	#note(place: number, known: ColumnsKnown | undefined, row: number, step: number): void {
		for (const name of hashed) this.#known[name][place] = known?.[name][row] ?? 0;
		this.#known.sets[place] = known?.sets[row] ?? 0;
		this.#steps[place] = step;
	}

	#write(first: number, count: number): void {
		const facts = new Float32Array(count * width);
		for (let n = 0; n < count; n++) {
			const numbers = hashed.flatMap(name => digitsOf(this.#known[name][first + n]!));
			facts.set([...numbers, this.#known.sets[first + n]!, this.#steps[first + n]!], n * width);
		}
		this.#put(first, facts);
	}

	#put(first: number, facts: Float32Array): void {
		const part = this.#facts.slice(first, facts.length / width);
		this.#device.write(part, facts);
		part.dispose();
	}
}

function digitsOf(number: number): number[] {
	return Array.from({length: digits}, (_, n) => Math.floor(number / base ** n) % base);
}

function numberOf(parts: Float32Array): number {
	return parts.reduce((sum, part, n) => sum + part * base ** n, 0);
}
