// What a transformer is made of: the mirror of native/model/spec.h, field for field. Native code knows
// parts, never families; a family expands its configuration into this.

/** More blocks than any model has; a file that names more is broken. */
export const mostBlocks = 4096;

export type Activation = 'none' | 'gelu' | 'tanh' | 'relu';
export type Pooling = 'cls' | 'mean' | 'last';

/** The poolings that can be asked for, in the order of the documentation. */
export const poolings = ['cls', 'mean', 'last'] as const satisfies readonly Pooling[];

export type NormSpec = {kind: 'layer' | 'rms'; epsilon: number; bias: boolean};

/** y = after(x + inside(layer(before(x)))); a missing norm is the identity. */
export type NormPlaces = {before?: NormSpec; inside?: NormSpec; after?: NormSpec};

export type EmbeddingSpec = {
	vocabulary: number;
	/** Rows of learned positions; 0: none. */
	positions: number;
	/** The row of the first token. */
	positionOffset: number;
	/** Rows of token types; 0: none. */
	types: number;
	norm?: NormSpec;
};

export type AttentionSpec = {heads: number; scale: number; bias: boolean; norms: NormPlaces};
export type MlpSpec = {width: number; activation: Activation; bias: boolean; norms: NormPlaces};
export type BlockSpec = {attention: AttentionSpec; mlp: MlpSpec};
export type DenseSpec = {width: number; bias: boolean; activation: Activation};

/** Without pooling the rows of all tokens are handed up. */
export type HeadSpec = {pooling?: Pooling; dense: DenseSpec[]; normalize: boolean};

/** The transformer without its head: what a family makes of its configuration. */
export type BodySpec = {
	width: number;
	embedding: EmbeddingSpec;
	blocks: BlockSpec[];
	finalNorm?: NormSpec;
};

export type ModelSpec = BodySpec & {head: HeadSpec};

/** Dropout rates of the configuration, for training. */
export type DropoutRates = {hidden: number; attention: number};

/**
One line of a family's table: the name of a tensor in its files, the name of our parameter, and, where
several tensors make one parameter, which of how many equal parts it is. `{i}` stands for the block.
*/
export type TensorRule = readonly [
	file: string,
	parameter: string,
	part?: readonly [number, number],
];

/** A family is a table, not a program. */
export type Family = {
	name: string;
	/** Values of `model_type` that it covers. */
	modelTypes: readonly string[];
	spec(config: FamilyConfig): BodySpec;
	dropout(config: FamilyConfig): DropoutRates;
	tensors: readonly TensorRule[];
	/** What names may begin with in the files of a model with a head of its own. */
	prefixes: readonly string[];
	/** Tensors that the family knows and does not use. */
	unused: readonly RegExp[];
};

/** A configuration file as a family reads it: each value is checked where it is asked for. */
export type FamilyConfig = {
	/** A whole number from 1 to `most`. */
	size(key: string, most?: number): number;
	number(key: string, otherwise: number): number;
	/** One of the words, mapped. */
	choice<T>(key: string, choices: Readonly<Record<string, T>>, otherwise?: string): T;
	/** Refuses any other value than this one; a missing key has it. */
	only(key: string, value: unknown): void;
};
