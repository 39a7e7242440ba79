// How long gradients and weights are, part by part: where training happens, and where nothing does.

import type {Tape} from '../autograd/tape.js';
import type {ExtraParameter, NativeModel, Tensor} from '../native.js';

/** Norms by part: `embeddings`, `blocks.0` and so on, `head`, `loss`. */
export type Norms = Readonly<Record<string, number>>;

export type PartNorms = {
	/** Before clipping; parts that are frozen are left out. */
	gradientNorms: Norms;
	/** As the step used them. */
	weightNorms: Norms;
};

/** The part of each parameter of a model in their order, and whether it is trained. */
export type ModelParts = readonly {part: string; isTrained: boolean}[];

/** Asked for once: neither names nor what is trained change in a run. */
export function partsOf(core: NativeModel): ModelParts {
	return core.parameters().map(({name, trained}) => ({part: partOf(name), isTrained: trained}));
}

/** Sums of squares of the weights as they are when the work queued before is done; in a fixed order. */
export async function weightSquares(
	core: NativeModel,
	tape: Tape,
	extras: readonly ExtraParameter[],
): Promise<number[]> {
	const pending = core.squares();
	const learned = await Promise.all(extras.map(({value}) => sumOfSquares(tape, value)));
	return [...(await pending), ...learned];
}

/** The norms of a step by its sums of squares, of parameters and then of what the loss learns. */
export function normsOf(
	parts: ModelParts,
	{gradients, weights}: {gradients: ArrayLike<number>; weights: readonly number[]},
): PartNorms {
	const all = weights.map((weight, n) => {
		const {part, isTrained} = parts[n] ?? {part: 'loss', isTrained: true};
		return {part, isTrained, weight, gradient: gradients[n]!};
	});
	return {
		gradientNorms: rootsOf(
			all.filter(({isTrained}) => isTrained),
			({gradient}) => gradient,
		),
		weightNorms: rootsOf(all, ({weight}) => weight),
	};
}

async function sumOfSquares({device}: Tape, x: Tensor): Promise<number> {
	const result = device.tensor(1, 1, 'f64');
	try {
		const sum = new Float64Array(1);
		device.write(result, sum);
		device.run('sumSquares', {x, result});
		await device.read(result, sum);
		return sum[0]!;
	} finally {
		result.dispose();
	}
}

/** The part that a parameter belongs to. */
function partOf(name: string): string {
	const [first = name, second] = name.split('.');
	if (first === 'embedding' || first === 'relativeBias') return 'embeddings';
	return first === 'blocks' ? `blocks.${second}` : first;
}

function rootsOf<T extends {part: string}>(all: readonly T[], square: (of: T) => number): Norms {
	const sums = new Map<string, number>();
	for (const each of all) sums.set(each.part, (sums.get(each.part) ?? 0) + square(each));
	return Object.fromEntries([...sums].map(([part, sum]) => [part, Math.sqrt(sum)]));
}
