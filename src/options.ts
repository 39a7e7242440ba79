// Options as the library and the command line share them: a set is one zod object whose entries carry
// their default and their description, checked once where the options enter.
//
// `learnTemperature` in the library is `--learn-temperature` on the command line.

import {z} from 'zod';
import {EngineError, type ErrorCode, kindOf} from './errors.js';
import {unknownOption} from './option-names.js';

/** An entry of a set as JSON Schema describes it, with what its `meta` adds. */
export type OptionFacts = {
	type?: string | string[];
	const?: unknown;
	enum?: unknown[];
	anyOf?: OptionFacts[];
	items?: OptionFacts;
	minimum?: number;
	maximum?: number;
	exclusiveMinimum?: number;
	exclusiveMaximum?: number;
	default?: unknown;
	description?: string;
	/** Meta: what is allowed, in words, where the type alone does not say it. */
	expected?: string;
};

type Place = string | ((key: string) => string);

/**
The options with their defaults. The first that does not fit is thrown by its place: `where` and the
option's name, or what the function `where` makes of the name.

@example
const schema = z.object({k: z.int().min(1).default(10).describe('how many to find')});
const {k} = parseOptions(schema, {k: 5}, 'search');
*/
export function parseOptions<S extends z.ZodObject>(
	schema: S,
	value: unknown,
	where: Place,
): z.output<S> {
	const place = typeof where === 'string' ? (key: string) => `${where}: ${key}` : where;
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		const message = `${place('options')}: expected an object, got ${kindOf(value)}`;
		throw new EngineError('OPTION_TYPE', message);
	}
	const known = Object.keys(schema.shape);
	const unknown = Object.keys(value).find(key => !known.includes(key));
	if (unknown !== undefined) throw unknownOption(place(unknown), unknown, known);
	const parsed = schema.safeParse(value);
	if (parsed.success) return parsed.data;
	throw badOption(schema, value, parsed.error.issues[0]!, place);
}

/** The entries of a set by name, in their order. */
export function optionFacts(schema: z.ZodObject): Record<string, OptionFacts> {
	const {properties = {}} = z.toJSONSchema(schema, {io: 'input', unrepresentable: 'any'});
	return properties as Record<string, OptionFacts>;
}

/** The same entries, under a heading of their own in --help. */
export function inGroup<T extends z.core.$ZodLooseShape>(shape: T, group: string): T {
	const entries = Object.entries(shape).map(([name, entry]) => {
		const schema = entry as z.ZodType;
		return [name, schema.meta({...schema.meta(), group})];
	});
	return Object.fromEntries(entries) as T;
}

/** What an entry allows, in words: `a whole number from 1`, `one of cls, mean`. */
export function expectedOf(facts: OptionFacts): string {
	if (facts.expected !== undefined) return facts.expected;
	if (facts.anyOf) return [...new Set(facts.anyOf.map(expectedOf))].join(' or ');
	if (facts.const !== undefined) return String(facts.const);
	if (facts.enum) return `one of ${facts.enum.join(', ')}`;
	if (facts.type === 'array') return `a list, each ${expectedOf(facts.items ?? {})}`;
	if (facts.type === 'integer') return `a whole number${bounds(facts)}`;
	if (facts.type === 'number') return `a number${bounds(facts)}`;
	if (facts.type === 'boolean') return 'true or false';
	if (facts.type === 'object') return 'an object';
	return facts.type === 'string' ? 'a string' : 'another value';
}

function badOption(
	schema: z.ZodObject,
	value: object,
	issue: z.core.$ZodIssue,
	place: (key: string) => string,
): EngineError {
	const key = String(issue.path[0]);
	const given: unknown = (value as Record<string, unknown>)[key];
	const code = given === undefined ? 'OPTION_MISSING' : codeOf(issue, valueAt(value, issue.path));
	const isWritten = issue.code === 'custom' && issue.message !== 'Invalid input';
	const expected = isWritten ? issue.message : expectedOf(optionFacts(schema)[key] ?? {});
	return new EngineError(code, `${place(key)}: expected ${expected}, got ${shown(given)}`);
}

function codeOf(issue: z.core.$ZodIssue, value: unknown): ErrorCode {
	if (issue.code === 'invalid_type') {
		// A fraction where a whole number is meant, or NaN.
		const isNumber = typeof value === 'number' && ['int', 'number'].includes(issue.expected);
		return isNumber ? 'OPTION_RANGE' : 'OPTION_TYPE';
	}
	if (issue.code === 'invalid_value') {
		return issue.values.some(one => typeof one === typeof value) ? 'OPTION_RANGE' : 'OPTION_TYPE';
	}
	if (issue.code !== 'invalid_union') return 'OPTION_RANGE';
	const inner = issue.errors.flat();
	const isOfType = inner.some(one => codeOf(one, valueAt(value, one.path)) === 'OPTION_RANGE');
	return isOfType ? 'OPTION_RANGE' : 'OPTION_TYPE';
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
	return path.reduce((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

// Bounds that only say "a safe integer" are not worth a word.
function bounds({minimum, maximum, exclusiveMinimum, exclusiveMaximum}: OptionFacts): string {
	const isReal = (bound?: number) =>
		bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
	let text = '';
	if (isReal(minimum)) text += ` from ${minimum}`;
	if (isReal(exclusiveMinimum)) text += ` above ${exclusiveMinimum}`;
	if (isReal(maximum)) text += ` to ${maximum}`;
	if (isReal(exclusiveMaximum)) text += ` below ${exclusiveMaximum}`;
	return text;
}

function shown(value: unknown): string {
	if (typeof value === 'number') return String(value);
	if (typeof value !== 'string' && typeof value !== 'boolean') return kindOf(value);
	const text = JSON.stringify(value);
	return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
