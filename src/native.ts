// The only place that loads the add-on, and the one place where its types are written.

import {loadAddon} from './addon.js';
import {EngineError} from './errors.js';

export type ElementType = 'f32' | 'f16' | 'bf16' | 'i32' | 'f64' | 'u8';

/** A matrix in device memory. Its memory is free when it and all queued work on it are done with. */
export type Tensor = {
	readonly rows: number;
	readonly columns: number;
	/** Rows as a view of the same memory. */
	slice(begin: number, count: number): Tensor;
	/** The same elements seen as another matrix. */
	reshape(rows: number, columns: number): Tensor;
	dispose(): void;
};

/** Cancels the work it was handed to; queued work is skipped, running work stops at its next item. */
export type Canceller = {cancel(): void};

type Elements = Float32Array | Float64Array | Int32Array | Uint16Array | Uint8Array;

export type Fields = Readonly<Record<string, unknown>>;

export type NativeDevice = {
	/** Memory of undefined contents. */
	tensor(rows: number, columns: number, type: ElementType): Tensor;
	/** Queues an op of native/ops by name; wrong operands throw here. */
	run(op: string, fields: Fields): void;
	/** Copies now, arrives in order. */
	write(tensor: Tensor, values: Elements): void;
	/** Fills `values` when the work queued before is done. */
	read(tensor: Tensor, values: Elements, canceller?: Canceller): Promise<void>;
	synchronize(): Promise<void>;
	/** The FMA peak of all threads together, in GFLOP/s. */
	peak(): Promise<number>;
	statistics(): {allocations: number; bytes: number; kernels: string; threads: number};
};

/**
Texts end to end: ids of all, offsets (N + 1), the number of each text in its whole batch, and how many
leading tokens of each pooling leaves out (default: none).
*/
export type PackedBatch = {
	ids: Int32Array;
	offsets: Int32Array;
	texts?: Int32Array;
	skip?: Int32Array;
	/** Whether the rows of all tokens are wanted, of a head of at most one pooling. */
	unpooled?: boolean;
};

export type PassSettings = {
	seed: number;
	step: number;
	/** 1: that of documents, in a model of two. Default 0. */
	tower?: number;
	/** Dropout rates. */
	hidden: number;
	attention: number;
	/** Whether a backward() follows. */
	keep: boolean;
	/** Whether that computes the activations of each block again rather than keeping them. Default false. */
	recompute?: boolean;
};

export type OptimizerName = 'adamw' | 'adam' | 'adamw8' | 'lion' | 'adafactor';

/** What is kept of each parameter while it is trained. */
export type TrainingSettings = {
	/** Default adamw. */
	optimizer?: OptimizerName;
	/** Whether a mean of the weights is kept, which begins as they are. */
	average?: boolean;
	/** Parameters that hold several matrices, end to end, and the elements of each. */
	stacked?: readonly {name: string; parts: readonly number[]}[];
};

/** A step of the optimizer that training was prepared for. */
export type UpdateSettings = {
	rate: number;
	beta1: number;
	beta2: number;
	epsilon: number;
	decay: number;
	/** Largest norm of all gradients together; 0: not clipped. */
	clip: number;
	/** Largest magnitude of an element of a gradient; 0, the default: not clipped. */
	clipValue?: number;
	/** How far the means of weights go towards the weights that the step leaves. Default 0. */
	averageShare?: number;
	/** From 1. */
	step: number;
	/** What the rate of each parameter is multiplied by, in their order. Default 1 each. */
	factors?: readonly number[] | undefined;
};

export type ExtraParameter = {value: Tensor; gradient: Tensor; first: Tensor; second: Tensor};

/** Elements of a parameter and where they lie in a weight file. */
export type WeightPart = {
	name: string;
	/** First element within the parameter. */
	at: number;
	count: number;
	/** Byte in the file. */
	offset: number;
	type: ElementType;
	/** What the file calls them, for messages. */
	tensor?: string;
};

/** Moments, what those of 8 bits are scaled by, those of Adafactor, and the mean of the weights. */
export type StatePart =
	| 'first'
	| 'second'
	| 'firstScale'
	| 'secondScale'
	| 'rowSquares'
	| 'columnSquares'
	| 'average';
export type ParameterPart = 'weight' | 'gradient' | StatePart;

/** A part of what is kept of a parameter. */
export type HeldState = {part: StatePart; rows: number; columns: number; type: 'f32' | 'u8'};

/** A move of weights along their gradients: of the table of tokens, or of all matrices. */
export type PerturbSettings = {
	matrices?: boolean;
	/** Length of the move; of matrices, times the norm of each. */
	rate: number;
	/** Of the table: the greatest length of all moves together. Default any. */
	radius?: number;
	/** Of matrices: the greatest move of an element, as a share of it. Default any. */
	bound?: number;
};

export type TrainingMemory = {weights: number; gradients: number; state: number; held: number};

/**
All gradients before clipping: their norm, and the sum of squares of each, of the parameters in their
order (0 where it has none) and then of the extras.
*/
export type GradientNorm = {norm: number; squares: Float64Array};

export type NativeModel = {
	/** `trained`: has a gradient and the state of the training. */
	parameters(): {
		name: string;
		rows: number;
		columns: number;
		decay: boolean;
		trained: boolean;
		state: HeldState[];
	}[];
	/**
	Refuses values that are not finite by the name of their tensor. A card that computes in bf16 has the file open until
	somebody asks for the f32 values of its weights.
	*/
	load(path: string, parts: readonly WeightPart[], canceller?: Canceller): Promise<void>;
	/** State of type u8 is written from and read into bytes. */
	write(part: ParameterPart, name: string, row: number, values: Float32Array | Uint8Array): void;
	read(
		part: ParameterPart,
		name: string,
		row: number,
		values: Float32Array | Uint8Array,
	): Promise<void>;
	/** Resolves to a fingerprint of all values. `bytes`: weights of the blocks are held in 7 bits from now on. */
	pack(bytes?: boolean): Promise<string>;
	/** Fills `embeddings` (N × dimensions); resolves to the first row that is not finite, or -1. */
	encode(
		batch: PackedBatch,
		settings: {
			dimensions?: number | undefined;
			normalize?: boolean | undefined;
			tower?: number;
		},
		embeddings: Float32Array,
		canceller?: Canceller,
	): Promise<number>;
	prepareTraining(frozen: readonly string[], settings?: TrainingSettings): Promise<void>;
	/** What that takes in bytes, weights with what products read of them; and what weights take before. */
	trainingMemory(frozen: readonly string[], settings: TrainingSettings): TrainingMemory;
	forward(
		batch: PackedBatch,
		settings: PassSettings,
		embeddings: Tensor,
		canceller?: Canceller,
	): void;
	backward(gradient: Tensor, canceller?: Canceller): void;
	zeroGradients(): void;
	/** When the norm is not finite nothing was changed. */
	update(
		settings: UpdateSettings,
		extras: readonly ExtraParameter[],
		canceller?: Canceller,
	): Promise<GradientNorm>;
	/** The sum of squares of the weights of each parameter, in their order. */
	squares(): Promise<Float64Array>;
	/** Means of weights become the weights and these the means; pack() afterwards. */
	exchangeAverages(): void;
	/** May follow another; undoPerturb() puts all weights back to the bit. */
	perturb(settings: PerturbSettings): void;
	undoPerturb(): void;
	/** Remembers all gradients; makes them what was remembered. */
	holdGradients(): void;
	returnGradients(): void;
	/** `recordings`: passes that a card is asked for with one call. */
	statistics(): {
		parameterBytes: number;
		savedPeak: number;
		allocations: number;
		recordings: number;
	};
	dispose(): Promise<void>;
};

/** A step of a normaliser; a step of forms asks the host. */
export type NativeNormalizerStep = {
	readonly kind: 'forms' | 'replace' | 'replaceSpaces' | 'strip' | 'prepend';
	readonly pattern?: string;
	readonly content?: string;
	readonly left?: boolean;
	readonly right?: boolean;
	/** Whether all that it makes counts as growth. */
	readonly counted?: boolean;
};

/** A step of a pre-tokenizer; what is absent is false, or nothing. */
export type NativeSplit = {
	readonly kind:
		| 'bert'
		| 'byteLevel'
		| 'delimiter'
		| 'digits'
		| 'literal'
		| 'marks'
		| 'metaspace'
		| 'punctuation'
		| 'gpt2'
		| 'cl100k'
		| 'whitespace'
		| 'whitespaceSplit';
	/** What is looked for, or the mark of marks and a metaspace. */
	readonly pattern?: string;
	readonly behavior?:
		| 'Removed'
		| 'Isolated'
		| 'MergedWithPrevious'
		| 'MergedWithNext'
		| 'Contiguous';
	readonly inverted?: boolean;
	readonly individual?: boolean;
	readonly prefixSpace?: boolean;
	readonly useRegex?: boolean;
	readonly splits?: boolean;
	readonly prepending?: 'never' | 'first' | 'always';
	/** The most of a word of digits. */
	readonly digits?: number;
};

/** A model of words; pieces are named by their number in the vocabulary. */
export type NativeWords = {
	readonly kind: 'WordPiece' | 'BPE' | 'Unigram';
	/** -1: none. */
	readonly unknown: number;
	readonly prefix?: string;
	readonly longestWord?: number;
	readonly suffix?: string;
	readonly fuseUnknown?: boolean;
	readonly ignoreMerges?: boolean;
	readonly byteFallback?: boolean;
	readonly unknownScore?: number;
};

/** Pieces end to end; `merges`: numbers of left, right and both, best first. */
export type NativeVocabulary = {
	readonly text: string;
	readonly ends: Int32Array;
	readonly ids: Int32Array;
	readonly scores: Float64Array;
	readonly merges: Int32Array;
};

export type AddedToken = {
	readonly id: number;
	readonly content: string;
	/** Only as a word of its own. */
	readonly singleWord: boolean;
	/** Takes the white space before or after it along. */
	readonly lstrip: boolean;
	readonly rstrip: boolean;
	/** Looked for in the normalised text instead of the text itself. */
	readonly normalized: boolean;
};

export type NativeDefinition = {
	readonly normalizerWhere: string;
	readonly normalizer: readonly NativeNormalizerStep[];
	readonly splits: readonly NativeSplit[];
	/** Contents as they are met in a text. */
	readonly added: readonly AddedToken[];
	readonly words: NativeWords;
	/** Where a text is cut before it is normalised; absent when it is not. */
	readonly chunks?: {readonly cleanText: boolean; readonly ideographs: boolean};
	readonly prefix: readonly number[];
	readonly suffix: readonly number[];
};

/** Texts to ids, in the calling thread. */
export type NativeTokenizer = {
	encode(
		texts: readonly string[],
		settings: {maxLength: number; cutLeft: boolean; addSpecialTokens: boolean},
	): {
		ids: Int32Array<ArrayBuffer>;
		offsets: Int32Array<ArrayBuffer>;
		truncated: Uint8Array<ArrayBuffer>;
	};
};

export type NativeCard = {
	name: string;
	/** Compute capability, as 9.0. */
	capability: number;
	memoryBytes: number;
	/** Why it cannot be used. */
	reason?: string;
};

export type NativeCards = {
	list: NativeCard[];
	/** Whether this machine has no card, or no driver of cards: nothing that could be refused. */
	absent: boolean;
	/** Why there is none that could be used. */
	reason?: string;
};

export type Native = {
	/** The host tells what it is asked of Unicode; see src/tokenizer/native-host.ts. */
	Tokenizer: new (
		definition: NativeDefinition,
		vocabulary: NativeVocabulary,
		host: object,
	) => NativeTokenizer;
	/** Threads of this machine, or one of its cards. */
	Device: new (
		threads: number | {card: number},
	) => NativeDevice;
	/**
	With `document` a model of two towers; the parameters of that one are named `document.…`. `computed` is what rows of
	tokens and the products with them are of: f32, or on a card bf16.
	*/
	Model: new (
		device: NativeDevice,
		spec: object,
		document?: object,
		computed?: 'f32' | 'bf16',
	) => NativeModel;
	Canceller: new () => Canceller;
	setErrorClass(type: new (code: never, message: string) => Error): void;
	/** The cards of this machine; starts nothing on them. The first question waits for the driver. */
	cards(): NativeCards;
	/** Asks the driver on a thread of its own; cards() and new Device() do not wait for it afterwards. */
	findCards(): Promise<void>;
	/** The name of the kernels in use. */
	kernels(): string;
	/** Replaces the kernels of the whole process; false when this CPU cannot run them. */
	useKernels(name: string): boolean;
	/**
	How the whole process cuts products on Hopper, for tests and figures: into tiles that two groups share (`shared`), into
	tiles of their own at which they take turns where the depth allows it (`turns`), or whichever costs less (`cheapest`).
	Results have the same bits. False for other names, and in a build without CUDA.
	*/
	useSchedule(name: string): boolean;
	/** Where the add-on was found. */
	path: string;
};

let loaded: Native | undefined;

/** The add-on, loaded at the first call; throws NATIVE_UNAVAILABLE with everything that was tried. */
export function native(): Native {
	if (!loaded) {
		loaded = loadAddon() as Native;
		loaded.setErrorClass(EngineError);
	}
	return loaded;
}

/**
Awaits native work that `canceller` can stop; when the signal aborts, the work is cancelled and the
promise rejects with the signal's reason once the device has let go of it.
*/
export async function cancellable<T>(
	signal: AbortSignal | undefined,
	work: (canceller: Canceller) => Promise<T>,
): Promise<T> {
	signal?.throwIfAborted();
	const canceller = new (native().Canceller)();
	const stop = () => canceller.cancel();
	signal?.addEventListener('abort', stop, {once: true});
	try {
		return await work(canceller);
	} catch (error) {
		signal?.throwIfAborted();
		throw error;
	} finally {
		signal?.removeEventListener('abort', stop);
	}
}
