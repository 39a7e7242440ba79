// The one error class of the package and the table of its codes. docs/errors.md is this table.

/** Every code an {@link EngineError} can carry, with what it means. Codes are stable. */
export const errorCodes = {
	OPTION_UNKNOWN: 'An option, configuration key or environment variable does not exist.',
	OPTION_TYPE: 'An option has a value of the wrong kind.',
	OPTION_RANGE: 'An option has a value outside the range that makes sense.',
	OPTION_MISSING: 'A required option is missing.',
	OPTION_CONFLICT: 'Two options exclude each other.',
	FILE_NOT_FOUND: 'A file or folder does not exist.',
	FILE_UNREADABLE: 'A file exists and cannot be read.',
	FILE_EMPTY: 'A file holds nothing to work on.',
	FILE_FORMAT: 'A file is not of the format it should have.',
	FILE_WRITE: 'A file could not be written, or did not read back as written.',
	OUTPUT_EXISTS: 'The output is there already; use --overwrite or another name.',
	OUTPUT_LOCKED: 'Another running process writes the same output.',
	DATA_ROW: 'A line of a data file is not a valid record.',
	DATA_DUPLICATE: 'A text would appear twice in one batch, in the order of the file.',
	DATA_EMPTY: 'The data hold no usable record.',
	MODEL_NOT_FOUND: 'There is no model folder at this place, and no model of this id.',
	MODEL_CONFIG: 'A configuration file of the model contradicts itself or lacks something.',
	MODEL_FAMILY: 'The architecture of the model is not known.',
	MODEL_POOLING: 'The model does not say how token vectors become one vector.',
	MODEL_MODULE: 'The model folder has a module that is not known or needs remote code.',
	MODEL_TENSOR: 'A tensor is missing, has the wrong shape or an unusable type.',
	HUB_UNREACHABLE: 'The hub, its mirror or the proxy did not answer, or the connection broke.',
	HUB_DENIED:
		'The hub does not open this model: it is private or gated, or the token does not fit.',
	HUB_ANSWER: 'The hub sent what cannot be used: a wrong checksum, size or path.',
	SAFETENSORS_INVALID: 'A safetensors file is cut, lies about its contents or is malformed.',
	TOKENIZER_MISSING: 'The model folder has no tokenizer.',
	TOKENIZER_INVALID: 'The tokenizer file is malformed or does not fit the model.',
	TOKENIZER_KIND: 'The tokenizer is of a kind that is not known.',
	DEVICE_UNAVAILABLE: 'The device asked for cannot be used here.',
	DEVICE_FAILED: 'The device refused work, or failed while it worked.',
	DTYPE_UNSUPPORTED: 'The device does not compute in this type.',
	NATIVE_UNAVAILABLE: 'The native add-on could not be loaded.',
	OP_INVALID: 'An operation was given operands that do not fit.',
	OUT_OF_MEMORY: 'There is not enough memory.',
	DISPOSED: 'An object was used after dispose().',
	TRAIN_BATCH: 'A batch cannot be trained on.',
	TRAIN_SCHEDULE: 'The phases of a learning-rate schedule do not fit its steps.',
	VECTOR_NOT_FINITE: 'The vector of a text became infinite or not a number.',
	LOSS_NOT_FINITE: 'The loss became infinite or not a number.',
	LOSS_INVALID: 'A loss was given columns it cannot use, or returned no scalar.',
	EVALUATOR_INVALID: 'An evaluation did not return finite numbers, or not the one that decides.',
	CHECKPOINT_INVALID: 'A checkpoint is torn, tampered with or of another run.',
	REPLAY_CHANGED: 'The model or a data file is not what it was in the run that is repeated.',
	REPLAY_DIFFERENT: 'A run that was repeated gave other bits.',
	RESUME_CHANGED: 'An option or a data file changed since the checkpoint.',
	INTERNAL: 'A bug of this package; please report it.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/**
What every function of this package throws or rejects with (except an abort, which rejects with the
signal's own reason). `message` reads *where: expected what, got what; what to do*.
*/
export class EngineError extends Error {
	override readonly name = 'EngineError';
	readonly code: ErrorCode;

	constructor(code: ErrorCode, message: string, options: {cause?: unknown} = {}) {
		super(sentence(message), options);
		this.code = code;
	}
}

const longestSentence = 2000;
const endLength = 500;

/**
A message as one line of printable characters: what a file holds (a tensor's name, a bad line) must
neither break the line nor talk to the terminal. The middle of a very long one is left out.
*/
function sentence(message: string): string {
	const line = shortened(message).replace(/\s*[\r\n\u2028\u2029]+\s*/g, ' ');
	return shortened(line.replace(/[\p{Cc}\p{Bidi_Control}]/gu, escaped));
}

function shortened(text: string): string {
	if (text.length <= longestSentence) return text;
	return `${text.slice(0, longestSentence - endLength)} … ${text.slice(-endLength)}`;
}

function escaped(character: string): string {
	return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The kind of a value, for messages: `a string`, `an array`, `null`. */
export function kindOf(value: unknown): string {
	if (value === null) return 'null';
	if (value === undefined) return 'nothing';
	if (Array.isArray(value)) return 'an array';
	return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
