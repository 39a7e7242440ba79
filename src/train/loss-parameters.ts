// Parameters that belong to a loss, such as a learned temperature or class weights: they are updated with the model,
// without decay, and live in the checkpoints of the run.

import type {Tape, Variable} from '../autograd/tape.js';
import type {Loss} from '../loss/loss.js';
import {startOf} from '../loss/parameters.js';
import type {ExtraParameter, NativeDevice, Tensor} from '../native.js';
import {DocumentQueue} from './document-queue.js';

/** The parameters on a tape, by name. */
export type Learned = Readonly<Record<string, Variable>>;

type Held = {name: string; value: Tensor; first: Tensor; second: Tensor};

export class LossParameters {
	/** Documents of earlier steps, for a loss that wants some. */
	readonly queue: DocumentQueue | undefined;
	readonly #held: Held[];

	/** The width is that of the embeddings; matrices are drawn by the seed. */
	constructor(
		device: NativeDevice,
		{parameters = [], queue}: Loss,
		{width, seed}: {width: number; seed: number},
	) {
		this.queue = queue ? new DocumentQueue(device, queue, width) : undefined;
		this.#held = parameters.map(parameter => {
			const {rows, columns, values} = startOf(parameter, width, seed);
			const held = (start: Float32Array) => {
				const tensor = device.tensor(rows, columns, 'f32');
				device.write(tensor, start);
				return tensor;
			};
			const zeros = new Float32Array(values.length);
			return {name: parameter.name, value: held(values), first: held(zeros), second: held(zeros)};
		});
	}

	/** The parameters as variables of a tape. */
	on(tape: Tape): Learned {
		return Object.fromEntries(this.#held.map(({name, value}) => [name, tape.variable(value)]));
	}

	/** What the optimizer updates, with the gradients that a tape left. */
	updates(learned: Learned): ExtraParameter[] {
		return this.#held.flatMap(({name, value, first, second}) => {
			const gradient = learned[name]?.gradient;
			return gradient ? [{value, gradient, first, second}] : [];
		});
	}

	/** Adds the gradients of a second pass to those of the first, on the tape of that. */
	addGradients(tape: Tape, to: Learned, from: Learned): void {
		for (const [name, variable] of Object.entries(to)) {
			const b = from[name]?.gradient;
			if (!b) continue;
			const a = variable.gradient ?? tape.zeros(variable);
			variable.gradient = tape.compute('add', variable, {a, b});
		}
	}

	/** Everything that a checkpoint keeps. */
	tensors(): {key: string; tensor: Tensor}[] {
		const learned = this.#held.flatMap(({name, value, first, second}) => [
			{key: `loss.${name}`, tensor: value},
			{key: `loss.${name}.first`, tensor: first},
			{key: `loss.${name}.second`, tensor: second},
		]);
		return [...learned, ...(this.queue?.tensors() ?? [])];
	}

	/** Takes up what a checkpoint has put into the tensors. */
	async restored(): Promise<void> {
		await this.queue?.restored();
	}

	dispose(): void {
		this.queue?.dispose();
		for (const {value, first, second} of this.#held) {
			for (const tensor of [value, first, second]) tensor.dispose();
		}
	}
}
