// What a transformer is made of: the mirror of native/model/spec.h, field for field. Native code knows
// parts, never families; a family expands its configuration into this, with the words below and those of
// rotary.ts. All that a family file may import is here.

import type {FamilyConfig} from './config.js';
import type {RotarySpec} from './rotary.js';

export type {FamilyConfig} from './config.js';
export {type RotarySpec, rotary} from './rotary.js';

/** More blocks than any model has; a file that names more is broken. */
export const mostBlocks = 4096;

export type Activation = 'none' | 'gelu' | 'tanh' | 'relu' | 'geluTanh' | 'silu' | 'sigmoid';

/** Which half of the rows that go up is activated; the other half multiplies it. */
export type Gate = 'none' | 'first' | 'second';

/** The poolings, in the order in which several are joined. */
export const poolings = ['cls', 'max', 'mean', 'mean_sqrt_len', 'weightedmean', 'last'] as const;
export type Pooling = (typeof poolings)[number];
/** `gem`: the generalised mean with a learned power, alone. */
export type PoolingKind = Pooling | 'gem';

/** `offset` is added to the weight: 1 where files store the weight less one, else 0. */
export type NormSpec = {kind: 'layer' | 'rms'; epsilon: number; offset: number; bias: boolean};

/** y = after(x + inside(layer(before(x)))); a missing norm is the identity. */
export type NormPlaces = {before?: NormSpec; inside?: NormSpec; after?: NormSpec};

export type EmbeddingSpec = {
	vocabulary: number;
	/** Of the tables; one that is not the model's is projected to it. */
	width: number;
	/** Of the tokens' rows. */
	scale: number;
	/** Rows of learned positions; 0: none. */
	positions: number;
	/** The row of the first token. */
	positionOffset: number;
	/** The id of tokens that have no place: they are not counted and read the row before the first. */
	padding?: number;
	/** Rows of token types; 0: none. */
	types: number;
	norm?: NormSpec;
};

export type AttentionSpec = {
	heads: number;
	/** Divide heads; each serves heads / keyHeads neighbours. */
	keyHeads: number;
	headWidth: number;
	scale: number;
	/** Of queries, keys and values. */
	bias: boolean;
	outputBias: boolean;
	/** Sees nothing after itself. */
	causal: boolean;
	/** Sees what is at most this far away; 0: all. */
	window: number;
	/** Scores fall with the distance (Press et al. 2022). */
	alibi: boolean;
	rotary?: RotarySpec;
	/** Of each head of the queries and the keys, before turning. */
	headNorm?: NormSpec;
	norms: NormPlaces;
};

export type MlpSpec = {
	width: number;
	activation: Activation;
	gate: Gate;
	/** Of what goes up. */
	bias: boolean;
	outputBias: boolean;
	norms: NormPlaces;
};

/** Blocks of one number of weights share them; parameters are named `blocks.<weights>.…`. */
export type BlockSpec = {weights: number; attention: AttentionSpec; mlp: MlpSpec};

/** One bias a head and bucket of distance, added to the scores of every block (Raffel et al. 2020). */
export type RelativeBiasSpec = {buckets: number; furthest: number};

/** y = norm(activation(x Wᵀ + b)); a width of 0: the norm alone. */
export type DenseSpec = {width: number; bias: boolean; activation: Activation; norm?: NormSpec};

/** Without pooling the rows of all tokens are handed up. */
export type HeadSpec = {pooling: readonly PoolingKind[]; dense: DenseSpec[]; normalize: boolean};

/** The transformer without its head: what a family makes of its configuration. */
export type BodySpec = {
	width: number;
	/** The longest text in tokens; 0: no limit. */
	longest: number;
	embedding: EmbeddingSpec;
	blocks: BlockSpec[];
	relativeBias?: RelativeBiasSpec;
	finalNorm?: NormSpec;
};

/** Rows of tokens are the weighted mean of the outputs of layers, from `start` on (0: the embedding). */
export type LayerMeanSpec = {start: number};

export type ModelSpec = BodySpec & {layerMean?: LayerMeanSpec | undefined; head: HeadSpec};

/** LayerNorm with weight and bias. */
export function layerNorm(epsilon: number, bias = true): NormSpec {
	return {kind: 'layer', epsilon, offset: 0, bias};
}

/** Root-mean-square norm (Zhang and Sennrich 2019); without bias. */
export function rmsNorm(epsilon: number, offset = 0): NormSpec {
	return {kind: 'rms', epsilon, offset, bias: false};
}

/** The rows of the tokens as they are, but for the parts that a family names. */
export function embedding(
	parts: Pick<EmbeddingSpec, 'vocabulary' | 'width'> & Partial<EmbeddingSpec>,
): EmbeddingSpec {
	return {scale: 1, positions: 0, positionOffset: 0, types: 0, ...parts};
}

/** Attention of `heads` heads that share the width: every part a family does not name is the plain one. */
export function attention(
	parts: Pick<AttentionSpec, 'heads' | 'headWidth' | 'norms'> & Partial<AttentionSpec>,
): AttentionSpec {
	return {
		keyHeads: parts.heads,
		scale: 1 / Math.sqrt(parts.headWidth),
		bias: true,
		outputBias: true,
		causal: false,
		window: 0,
		alibi: false,
		...parts,
	};
}

/** A feed-forward layer: not gated and with biases unless the parts say so. */
export function mlp(
	parts: Pick<MlpSpec, 'width' | 'activation' | 'norms'> & Partial<MlpSpec>,
): MlpSpec {
	return {gate: 'none', bias: true, outputBias: true, ...parts};
}

/** Blocks of weights of their own, as many as the configuration says. */
export function blocks(
	count: number,
	make: (block: number) => Omit<BlockSpec, 'weights'>,
): BlockSpec[] {
	return Array.from({length: count}, (_, weights) => ({weights, ...make(weights)}));
}

/** Activations by their names in configurations; the tanh approximation of GELU has many. */
export const activations = {
	gelu: 'gelu',
	relu: 'relu',
	silu: 'silu',
	swish: 'silu',
	tanh: 'tanh',
	sigmoid: 'sigmoid',
	gelu_new: 'geluTanh',
	gelu_fast: 'geluTanh',
	gelu_accurate: 'geluTanh',
	gelu_pytorch_tanh: 'geluTanh',
	gelu_python_tanh: 'geluTanh',
	gelu_python: 'gelu',
} as const satisfies Record<string, Activation>;

/** Dropout rates of the configuration, for training. */
export type DropoutRates = {hidden: number; attention: number};

/**
One line of a family's table: a tensor of its files, or several stacked in this order, and the parameter
they make. `{i}` stands for the block. Lines of one parameter are its names in different files: the first
that a file has is read, and others that it has too are copies.
*/
export type TensorRule = readonly [files: string | readonly string[], parameter: string];

/** The lines of a weight and a bias. */
export function weightAndBias(files: string | readonly string[], parameter: string): TensorRule[] {
	const stack = typeof files === 'string' ? [files] : files;
	return ['weight', 'bias'].map(part => [
		stack.map(file => `${file}.${part}`),
		`${parameter}.${part}`,
	]);
}

/** Of the normal numbers that a matrix begins with; `cut`: none lies further from 0, in deviations. */
export type Spread = {deviation: number; cut?: number};

/** A family is a table, not a program. */
export type Family = {
	name: string;
	/** Values of `model_type` that it covers. */
	modelTypes: readonly string[];
	/** Tells it from others of the same `model_type`; default: covers all of them. */
	matches?: (config: FamilyConfig) => boolean;
	spec(config: FamilyConfig): BodySpec;
	dropout(config: FamilyConfig): DropoutRates;
	/** How matrices begin that are trained from scratch, by their names in files; default: all alike. */
	starts?: (config: FamilyConfig) => (file: string) => Spread;
	/** What transformers calls a tensor, where that is not its name in the table. */
	savedAs?: (file: string) => string;
	tensors: readonly TensorRule[];
	/** What names may begin with in the files of a model with a head of its own. */
	prefixes: readonly string[];
	/** Tensors that the family knows and does not use. */
	unused: readonly RegExp[];
	/** Tensors of variants that compute something else: a file that has one is refused. */
	foreign?: readonly RegExp[];
};
