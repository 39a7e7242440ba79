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

type Squares = {part: string; isTrained: boolean; gradient: number; weight: number};

/** The norms as they are when the work queued before is done; sums run in a fixed order. */
export async function normsOf(
	core: NativeModel,
	tape: Tape,
	extras: readonly ExtraParameter[],
): Promise<PartNorms> {
	const pending = core.squares();
	const learned = await Promise.all(extras.map(extra => squaresOfExtra(tape, extra)));
	const sums = await pending;
	const own = core.parameters().map(
		({name, trained}, n): Squares => ({
			part: partOf(name),
			isTrained: trained,
			gradient: sums[2 * n]!,
			weight: sums[2 * n + 1]!,
		}),
	);
	const all = [...own, ...learned];
	return {
		gradientNorms: rootsOf(
			all.filter(({isTrained}) => isTrained),
			({gradient}) => gradient,
		),
		weightNorms: rootsOf(all, ({weight}) => weight),
	};
}

async function squaresOfExtra(tape: Tape, {value, gradient}: ExtraParameter): Promise<Squares> {
	const [ofGradient, ofValue] = await Promise.all(
		[gradient, value].map(tensor => sumOfSquares(tape, tensor)),
	);
	return {part: 'loss', isTrained: true, gradient: ofGradient!, weight: ofValue!};
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

function rootsOf(all: readonly Squares[], square: (of: Squares) => number): Norms {
	const sums = new Map<string, number>();
	for (const each of all) sums.set(each.part, (sums.get(each.part) ?? 0) + square(each));
	return Object.fromEntries([...sums].map(([part, sum]) => [part, Math.sqrt(sum)]));
}
