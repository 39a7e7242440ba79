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
	open?: boolean;
};

export function expectNumber(
	loss: string,
	name: string,
	value: unknown,
	{from, below = Number.POSITIVE_INFINITY, open = false}: Range,
): void {
	if (typeof value !== 'number') {
		refuse('OPTION_TYPE', loss, `${name} to be a number`, show(value));
	}
	const isRight = (open ? value > from : value >= from) && value < below;
	if (!isRight) {
		const limit = Number.isFinite(below) ? ` and below ${below}` : '';
		refuse(
			'OPTION_RANGE',
			loss,
			`${name} ${open ? 'above' : 'of at least'} ${from}${limit}`,
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
