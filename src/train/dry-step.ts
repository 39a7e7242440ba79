// What the loss of a step takes: the step itself on a device that counts matrices and computes nothing.

import type {Loss} from '../loss/loss.js';
import type {Fields, NativeDevice, NativeModel, Tensor} from '../native.js';
import type {Attack} from './adversarial.js';
import {LossParameters} from './loss-parameters.js';
import type {Prepared} from './prepare.js';
import {runStep, type StepSettings} from './step.js';

const widths = {f64: 8, f32: 4, i32: 4, f16: 2, bf16: 2} as const;

/** Bytes that the engine takes for a matrix of so many: sizes an eighth of a power of two apart. */
function sizeClass(bytes: number): number {
	let power = 4096;
	while (2 * power <= bytes) power *= 2;
	const unit = Math.max(power / 8, 4096);
	return Math.ceil(Math.max(bytes, 1) / unit) * unit;
}

/** A device that only counts. What is freed is taken again, as the engine does. */
export class CountingDevice implements NativeDevice {
	/** The most that was held. */
	bytes = 0;
	readonly #free = new Map<number, number>();

	tensor(rows: number, columns: number, type: keyof typeof widths): Tensor {
		const size = sizeClass(rows * columns * widths[type]);
		const spare = this.#free.get(size) ?? 0;
		if (spare > 0) this.#free.set(size, spare - 1);
		else this.bytes += size;
		let isHeld = true;
		return viewOf(rows, columns, () => {
			if (isHeld) this.#free.set(size, (this.#free.get(size) ?? 0) + 1);
			isHeld = false;
		});
	}

	run(_op: string, _fields: Fields): void {}
	write(): void {}
	async read(): Promise<void> {}
	async synchronize(): Promise<void> {}
	async peak(): Promise<number> {
		return 0;
	}
	statistics() {
		return {allocations: 0, bytes: this.bytes, kernels: '', threads: 1};
	}
}

function viewOf(rows: number, columns: number, dispose: () => void): Tensor {
	const view = (height: number, width: number) => viewOf(height, width, () => undefined);
	return {
		rows,
		columns,
		slice: (_, count) => view(count, columns),
		reshape: view,
		dispose,
	};
}

/** Bytes of matrices that a step takes beside the passes of the model. */
export async function lossMemory(
	{
		loss,
		width,
		seed,
		attack,
	}: {loss: Loss; width: number; seed: number; attack?: Attack | undefined},
	{batch, facts, passes}: Pick<Prepared, 'batch' | 'facts' | 'passes'>,
): Promise<number> {
	const device = new CountingDevice();
	const parameters = new LossParameters(device, loss, {width, seed});
	const settings: StepSettings = {
		model: {core: idleCore, width, computing: {native: device, dtype: 'f32'}},
		...{loss, parameters, seed, attack},
		dropout: {hidden: 0, attention: 0},
		recompute: false,
		suspects: false,
	};
	await runStep(settings, batch, idleUpdate, {facts, passes, watched: {hardest: true}});
	return device.bytes;
}

const idleUpdate = {rate: 0, beta1: 0, beta2: 0, epsilon: 1, decay: 0, clip: 0, step: 1};

const nothing = () => undefined;

/** A model that computes nothing and has no parameters. */
const idleCore = {
	parameters: () => [],
	zeroGradients: nothing,
	forward: nothing,
	backward: nothing,
	update: async () => ({norm: 0, squares: new Float64Array()}),
	perturb: nothing,
	undoPerturb: nothing,
	holdGradients: nothing,
	returnGradients: nothing,
} as Partial<NativeModel> as NativeModel;
