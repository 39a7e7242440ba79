// The values of another system's options, given ones over defaults, read by type. What is read is
// remembered, so that an option here knows whether anything it comes from was given.

import type {TrainingRecord} from '../data/record.js';
import {EngineError, kindOf} from '../errors.js';

export type Scalar = string | number | boolean | null;
export type Value = Scalar | readonly Scalar[];

/** How a value is written and read. A list takes several words; `any` stays as it is written. */
export type Kind = 'text' | 'number' | 'boolean' | 'list' | 'any';

/** What each option is when it is not given. */
export type Standards = Readonly<Record<string, {kind: Kind; default?: Value}>>;

/** A value as it was given, and how messages call its place. */
export type GivenValue = {value: Value; place: string};

/** Facts of the command around the options. */
export type Surroundings = {
	/** Processes that train together, over all machines. */
	processes: number;
	/** The largest norm of gradients, where the launcher has one. */
	clip?: number | undefined;
	/** Whether the first record of the data has negatives, where the preset asks. */
	hasNegatives?: boolean | undefined;
	/** That record, and those of further data. */
	first?: TrainingRecord | undefined;
	firsts?: readonly (TrainingRecord | undefined)[] | undefined;
	/** Rows of the data, where the preset counts them and no option of ours may change them. */
	rows?: number | undefined;
};

export class Values {
	readonly around: Surroundings;
	readonly #standards: Standards;
	readonly #given: ReadonlyMap<string, GivenValue>;
	readonly #own: string | undefined;
	readonly #read = new Set<string>();

	/** `own` is the option on whose behalf the values are read. */
	constructor(
		standards: Standards,
		given: ReadonlyMap<string, GivenValue>,
		around: Surroundings,
		own?: string,
	) {
		this.#standards = standards;
		this.#given = given;
		this.around = around;
		this.#own = own;
		if (own !== undefined) this.#read.add(own);
	}

	/** The same values, read on behalf of an option. */
	of(own: string): Values {
		return new Values(this.#standards, this.#given, this.around, own);
	}

	/** The same surroundings of other options. */
	with(given: ReadonlyMap<string, GivenValue>): Values {
		return new Values(this.#standards, given, this.around);
	}

	/** The value of the option itself. */
	own(): Value | undefined {
		return this.#value(this.#own ?? '');
	}

	text(name: string): string | undefined {
		return this.#as(name, 'text') as string | undefined;
	}

	number(name: string): number | undefined {
		return this.#as(name, 'number') as number | undefined;
	}

	/** Whether a boolean is true. */
	is(name: string): boolean {
		return this.#as(name, 'boolean') === true;
	}

	list(name: string): readonly string[] {
		return ((this.#as(name, 'list') ?? []) as readonly Value[]).map(String);
	}

	/** A value that may be one or several. */
	any(name: string): Value | undefined {
		return this.#value(name);
	}

	/** Whether it was given, not left to its default. */
	isGiven(name: string): boolean {
		this.#read.add(name);
		return this.#given.has(name);
	}

	/** How messages call an option. */
	place(name: string): string {
		return this.#given.get(name)?.place ?? name;
	}

	/** The places of what was read and given. */
	givenPlaces(): string[] {
		return [...this.#read].flatMap(name => this.#given.get(name)?.place ?? []);
	}

	#value(name: string): Value | undefined {
		this.#read.add(name);
		const option = this.#standards[name];
		if (!option) throw new EngineError('INTERNAL', `presets: expected a known option, got ${name}`);
		const given = this.#given.get(name);
		return given ? given.value : option.default;
	}

	#as(name: string, kind: Kind): Value | undefined {
		const value = this.#value(name);
		return value === null || value === undefined
			? undefined
			: valueAs(kind, value, this.place(name));
	}
}

/** A value as the kind that its option has. */
export function valueAs(kind: Kind, value: Value, place: string): Value {
	const converted = converters[kind](value);
	if (converted !== undefined) return converted;
	const got = typeof value === 'object' ? kindOf(value) : JSON.stringify(value);
	throw new EngineError('OPTION_TYPE', `${place}: expected ${kindWords[kind]}, got ${got}`);
}

const kindWords = {
	text: 'a text',
	number: 'a number',
	boolean: 'true or false',
	list: 'a list',
	any: 'a value',
} as const satisfies Record<Kind, string>;

const converters: Record<Kind, (value: Value) => Value | undefined> = {
	text: value => (isScalar(value) ? String(value) : undefined),
	number(value) {
		if (typeof value === 'number') return value;
		const isNumeral = typeof value === 'string' && value.trim() !== '';
		const number = isNumeral ? Number(value) : Number.NaN;
		return Number.isNaN(number) ? undefined : number;
	},
	boolean(value) {
		if (typeof value === 'boolean') return value;
		return truths.get(String(value).toLowerCase());
	},
	list: value => (isScalar(value) ? [value] : value),
	any: value => value,
};

const truths = new Map([
	...['yes', 'true', 't', 'y', '1'].map(word => [word, true] as const),
	...['no', 'false', 'f', 'n', '0'].map(word => [word, false] as const),
]);

function isScalar(value: Value): value is Exclude<Value, readonly unknown[]> {
	return !Array.isArray(value);
}
