// Checks of a loss's options. They are checked once, where the loss is made.

import {EngineError, type ErrorCode, kindOf} from '../errors.js';

const show = (value: unknown): string =>
	typeof value === 'object' || typeof value === 'function'
		? kindOf(value)
		: (JSON.stringify(value) ?? 'nothing');

function refuse(code: ErrorCode, loss: string, expected: string, got: string): never {
	throw new EngineError(code, `${loss}: expected ${expected}, got ${got}`);
}

/** What is left of the options when the known ones are taken. */
export function expectNone(loss: string, unknown: object, known: readonly string[]): void {
	const [stranger] = Object.keys(unknown);
	if (stranger !== undefined) {
		refuse('OPTION_UNKNOWN', loss, `options among ${known.join(', ')}`, stranger);
	}
}

export type Range = {
	/** The smallest value, or with `open` what the value must be above. */
	from: number;
	/** What the value must be below. */
	below?: number;
	/** The largest value. */
	to?: number;
	open?: boolean;
	/** Whether only whole numbers will do. Default false. */
	whole?: boolean;
};

export function expectNumber(
	loss: string,
	name: string,
	value: unknown,
	{from, below = Number.POSITIVE_INFINITY, to = below, open = false, whole = false}: Range,
): void {
	if (typeof value !== 'number') {
		refuse('OPTION_TYPE', loss, `${name} to be a number`, show(value));
	}
	const isWithin = (open ? value > from : value >= from) && value < below && value <= to;
	const isRight = Number.isFinite(value) && isWithin;
	if (!isRight || (whole && !Number.isInteger(value))) {
		const end = to < below ? ` and at most ${to}` : '';
		const limit = Number.isFinite(below) ? ` and below ${below}` : end;
		refuse(
			'OPTION_RANGE',
			loss,
			`${name}${whole ? ', a whole number,' : ''} ${open ? 'above' : 'of at least'} ${from}${limit}`,
			`${value}`,
		);
	}
}

export function expectBoolean(loss: string, name: string, value: unknown): void {
	if (typeof value !== 'boolean') {
		refuse('OPTION_TYPE', loss, `${name} to be true or false`, show(value));
	}
}

export function expectOneOf(
	loss: string,
	name: string,
	value: unknown,
	known: readonly string[],
): void {
	if (typeof value !== 'string' || !known.includes(value)) {
		refuse('OPTION_RANGE', loss, `${name} to be ${known.join(' or ')}`, show(value));
	}
}

/** At least one of the known words, none twice. */
export function expectSome(
	loss: string,
	name: string,
	values: unknown,
	known: readonly string[],
): void {
	if (!Array.isArray(values)) {
		refuse('OPTION_TYPE', loss, `${name} to be an array`, show(values));
	}
	for (const value of values) {
		expectOneOf(loss, `each of ${name}`, value, known);
	}
	if (values.length === 0 || new Set(values).size < values.length) {
		const got = values.length === 0 ? 'none' : values.join(', ');
		refuse('OPTION_RANGE', loss, `${name} to be some of ${known.join(', ')}, each once`, got);
	}
}

/** An option of a loss: what it is when not given, and what is asked of it. */
export type Option<T> = {
	readonly standard: T;
	readonly check: (loss: string, name: string, value: unknown) => void;
	/** What a given value stands for. Default itself. */
	readonly read?: (value: unknown) => unknown;
};

type Schema = Readonly<Record<string, Option<unknown>>>;

export type Settled<S extends Schema> = {readonly [K in keyof S]: S[K]['standard']};

export function numberOption(standard: number, range: Range): Option<number> {
	return {standard, check: (loss, name, value) => expectNumber(loss, name, value, range)};
}

export function wordOption<Word extends string>(
	standard: Word,
	known: readonly Word[],
): Option<Word> {
	return {standard, check: (loss, name, value) => expectOneOf(loss, name, value, known)};
}

/** At least one of the known words, none twice. */
export function wordsOption<Word extends string>(
	standard: readonly Word[],
	known: readonly Word[],
): Option<readonly Word[]> {
	return {standard, check: (loss, name, value) => expectSome(loss, name, value, known)};
}

export const switchOption = (standard: boolean): Option<boolean> => ({
	standard,
	check: expectBoolean,
});

/** The options as given, each checked, and the others as they are by themselves. */
export function settled<S extends Schema>(
	loss: string,
	schema: S,
	options: {readonly [K in keyof S]?: unknown},
): Settled<S> {
	const known = Object.keys(schema);
	const strangers = Object.entries(options).filter(([name]) => !known.includes(name));
	expectNone(loss, Object.fromEntries(strangers), known);
	const entries = Object.entries(schema).map(
		([name, {standard, check, read = (each: unknown) => each}]) => {
			const value: unknown = read(options[name as keyof S] ?? standard);
			check(loss, name, value);
			return [name, value];
		},
	);
	return Object.fromEntries(entries) as Settled<S>;
}

/** One number or several, each of the range; held as a list. */
export function numbersOption(
	standard: readonly number[],
	range: Range,
): Option<readonly number[]> {
	return {
		standard,
		read: value => (typeof value === 'number' ? [value] : value),
		check: (loss, name, value) => {
			if (!Array.isArray(value)) {
				refuse('OPTION_TYPE', loss, `${name} to be a number or an array`, show(value));
			}
			for (const each of value) {
				expectNumber(loss, `each of ${name}`, each, range);
			}
		},
	};
}
