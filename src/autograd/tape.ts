// The tape: matrices on a device, what was done to them, and the way back.
//
// Work is queued and never awaited; only reading waits. Everything a tape made is freed by
// dispose(), and the device hands the same memory to the next tape, so steps of like shape allocate
// nothing.

import type {Device} from '../device.js';
import {EngineError} from '../errors.js';
import type {Canceller, Fields, NativeDevice, Tensor} from '../native.js';

export type Shape = {readonly rows: number; readonly columns: number};

/** A matrix on a tape. A loss sees its shape; what it holds is read with `ops.read`. */
export type Variable = Shape & {
	readonly tensor: Tensor;
	/** Whether it depends on a matrix that was given as a variable. */
	readonly needsGradient: boolean;
	/**
	After backward(): the gradient of the loss. Absent where the loss does not depend on it. To be
	read only: several variables may share one.
	*/
	gradient?: Tensor;
};

/** An operand of a result, and what it receives of the result's gradient. */
export type Operand = readonly [of: Variable, gradient: (dy: Tensor) => Tensor];

/** Gradients of results, in their order; a result that the loss does not use has none. */
type Gradients = readonly (Tensor | undefined)[];

export class Tape {
	readonly device: NativeDevice;
	/** Whether the tiled products of losses are of bf16. */
	readonly shortProducts: boolean;
	/** What losses said about themselves, by name. */
	readonly reports = new Map<string, number | Variable>();
	readonly #tensors: Tensor[] = [];
	/** Gradients that are a sum of their own, and so can be added to in place. */
	readonly #sums = new WeakSet<Tensor>();
	#steps: (() => void)[] = [];
	#isDisposed = false;

	constructor(device: NativeDevice, {shortProducts = false} = {}) {
		this.device = device;
		this.shortProducts = shortProducts;
	}

	/** One whose products are of what the device computes in. */
	static on({native, dtype}: Pick<Device, 'native' | 'dtype'>): Tape {
		return new Tape(native, {shortProducts: dtype === 'bf16'});
	}

	/** A matrix whose gradient is wanted. The tensor stays its owner's. */
	variable(tensor: Tensor): Variable {
		return {rows: tensor.rows, columns: tensor.columns, tensor, needsGradient: true};
	}

	/** A matrix without a gradient. A tensor stays its owner's, numbers are copied. */
	constant(tensor: Tensor): Variable;
	constant(values: Float32Array | readonly number[], shape: Shape): Variable;
	constant(values: Tensor | Float32Array | readonly number[], shape?: Shape): Variable {
		const tensor = shape ? this.#numbers(values as Float32Array, shape) : (values as Tensor);
		return {rows: tensor.rows, columns: tensor.columns, tensor, needsGradient: false};
	}

	/** Whole numbers for an op, such as column numbers. */
	indices(values: Int32Array): Tensor {
		const tensor = this.own(this.device.tensor(1, values.length, 'i32'));
		this.device.write(tensor, values);
		return tensor;
	}

	/** A new matrix of that shape, written by the op as its field `result`. */
	compute(op: string, {rows, columns}: Shape, fields: Fields, result = 'y'): Tensor {
		const tensor = this.empty(rows, columns);
		this.device.run(op, {...fields, [result]: tensor});
		return tensor;
	}

	/** A matrix of undefined contents. */
	empty(rows: number, columns: number): Tensor {
		return this.own(this.device.tensor(rows, columns, 'f32'));
	}

	/** A matrix of zeros. */
	zeros(shape: Shape): Tensor {
		const zero = this.#numbers([0], {rows: 1, columns: 1});
		return this.compute('spread', shape, {scale: 1, x: zero});
	}

	/** Frees the tensor with the tape. */
	own(tensor: Tensor): Tensor {
		if (this.#isDisposed) {
			tensor.dispose();
			throw new EngineError('DISPOSED', 'tape: expected a tape in use, got one that was disposed');
		}
		this.#tensors.push(tensor);
		return tensor;
	}

	/** A result, with each operand's share of its gradient. */
	record(tensor: Tensor, ...operands: readonly Operand[]): Variable {
		const parents = operands.map(([of]) => of);
		const [result] = this.recordAll([tensor], parents, ([dy]) =>
			operands.map(([of, gradient]) => (of.needsGradient ? gradient(dy!) : undefined)),
		);
		return result!;
	}

	/**
	Results of one op, which share their way back: from the gradients of the results, of which at
	least one is there, to those of the operands.
	*/
	recordAll(
		tensors: readonly Tensor[],
		operands: readonly Variable[],
		backward: (gradients: Gradients) => Gradients,
	): Variable[] {
		const needsGradient = operands.some(operand => operand.needsGradient);
		const results: Variable[] = tensors.map(tensor => ({...this.constant(tensor), needsGradient}));
		if (needsGradient) {
			this.#steps.push(() => {
				const gradients = results.map(({gradient}) => gradient);
				if (gradients.some(gradient => gradient !== undefined)) {
					this.#share(operands, backward(gradients));
				}
			});
		}
		return results;
	}

	/** Queues the way back from a loss of one element, whose variables then have gradients. */
	backward(loss: Variable): void {
		if (!loss.needsGradient) {
			throw new EngineError(
				'LOSS_INVALID',
				'loss: expected a value that depends on its columns, got a constant',
			);
		}
		loss.gradient = this.#numbers([1], {rows: 1, columns: 1});
		for (const step of this.#steps.reverse()) {
			step();
		}
		this.#steps = [];
	}

	/** The elements of a matrix, when the work queued before is done. */
	async read(variable: Variable, canceller?: Canceller): Promise<Float32Array> {
		const values = new Float32Array(variable.rows * variable.columns);
		await this.device.read(variable.tensor, values, canceller);
		return values;
	}

	/** Frees every matrix of the tape, once the work that was queued on it is done. */
	dispose(): void {
		this.#isDisposed = true;
		this.#steps = [];
		for (const tensor of this.#tensors.splice(0)) {
			tensor.dispose();
		}
	}

	#numbers(values: Float32Array | readonly number[], {rows, columns}: Shape): Tensor {
		const numbers = values instanceof Float32Array ? values : Float32Array.from(values);
		const tensor = this.empty(rows, columns);
		this.device.write(tensor, numbers);
		return tensor;
	}

	#share(operands: readonly Variable[], gradients: Gradients): void {
		for (const [n, operand] of operands.entries()) {
			const gradient = gradients[n];
			if (operand.needsGradient && gradient) {
				this.#add(operand, gradient);
			}
		}
	}

	// The first gradient is adopted and may be another's too, so the second makes a sum of its own.
	#add(operand: Variable, gradient: Tensor): void {
		const before = operand.gradient;
		if (!before) {
			operand.gradient = gradient;
		} else if (this.#sums.has(before)) {
			this.device.run('add', {a: before, b: gradient, y: before});
		} else {
			operand.gradient = this.compute('add', operand, {a: before, b: gradient});
			this.#sums.add(operand.gradient);
		}
	}
}
