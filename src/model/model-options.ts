// The options of load() and encode(), and what is refused of them where they enter.

import type {DeviceOptions} from '../device.js';
import {EngineError, kindOf} from '../errors.js';
import {unknownOption} from '../option-names.js';
import type {Progress} from './encode.js';
import type {FolderOptions} from './folder.js';
import type {LocateOptions} from './locate.js';
import type {NewParts} from './new-parts.js';
import type {Route} from './router.js';

export type LoadOptions = FolderOptions & NewParts & DeviceOptions & LocateOptions;

export type EncodeOptions = {
	/** A prompt saved with the model, by name. Default: the model's default prompt, if it has one. */
	prompt?: string | undefined;
	/** A literal prompt; `{}` in it is where the text goes, otherwise it is a prefix. */
	promptText?: string | undefined;
	/**
	Whose tower encodes, in a model of two. Default: as the name of the prompt says (`query`; `document`, `passage`,
	`corpus`), else as the folder does.
	*/
	route?: Route | undefined;
	/** Cut to the first columns, then made unit length again if the model normalises. */
	dimensions?: number | undefined;
	/** Unit length. Default: as the model. */
	normalize?: boolean | undefined;
	/** Longest text in tokens. Default: as the model. */
	maxLength?: number | undefined;
	/** Tokens of one native call; never changes a bit of the result. Default 16384. */
	batchTokens?: number | undefined;
	signal?: AbortSignal | undefined;
	onProgress?: ((progress: Progress) => void) | undefined;
};

export const loadOptions = [
	'pooling',
	'normalize',
	'maxLength',
	'truncationSide',
	'init',
	'dense',
	'denseActivation',
	'denseBias',
	'densePooler',
	'towers',
	'documentModel',
	'seed',
	'device',
	'threads',
	'dtype',
	'revision',
	'cache',
	'offline',
	'token',
	'endpoint',
	'signal',
	'onProgress',
] as const satisfies (keyof LoadOptions)[];

export const encodeOptions = [
	'prompt',
	'promptText',
	'route',
	'dimensions',
	'normalize',
	'maxLength',
	'batchTokens',
	'signal',
	'onProgress',
] as const satisfies (keyof EncodeOptions)[];

/** Without what is given as undefined. */
export function definedOf<T extends object>(options: T): Partial<T> {
	const given = Object.entries(options).filter(([, value]) => value !== undefined);
	return Object.fromEntries(given) as Partial<T>;
}

/** Refuses an option that would be ignored. */
export function expectKnown(
	where: string,
	options: {signal?: unknown; onProgress?: unknown},
	known: readonly string[],
): void {
	if (typeof options !== 'object' || options === null) {
		throw badType(`${where}: options`, 'an object', options);
	}
	const stranger = Object.keys(options).find(key => !known.includes(key));
	if (stranger !== undefined) throw unknownOption(`${where}: ${stranger}`, stranger, known);
	const {signal, onProgress} = options;
	if (signal !== undefined && !(signal instanceof AbortSignal)) {
		throw badType(`${where}: signal`, 'an AbortSignal', signal);
	}
	if (onProgress !== undefined && typeof onProgress !== 'function') {
		throw badType(`${where}: onProgress`, 'a function', onProgress);
	}
}

export function badType(place: string, expected: string, got: unknown): EngineError {
	return new EngineError('OPTION_TYPE', `${place}: expected ${expected}, got ${kindOf(got)}`);
}

export function expectWhole(name: string, value: number, most: number): void {
	if (Number.isInteger(value) && value >= 1 && value <= most) return;
	throw new EngineError(
		'OPTION_RANGE',
		`${name}: expected a whole number from 1 to ${most}, got ${value}`,
	);
}
