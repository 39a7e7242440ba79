// What the command line says of the options of losses: `--temperature` and the like, and --loss-option.
//
// With one loss all options are its own, and it refuses what it does not know. Of several, each gets
// what it knows, and `name.key=value` is for one, or for that of one data set; an option that no loss
// knows is refused.

import {EngineError} from '../errors.js';
import {kebabCase} from '../option-names.js';

type Options = Readonly<Record<string, unknown>>;
/** `place` is how messages call it. */
type Entry = {loss?: string; set?: string; key: string; value: unknown; place: string};

export type GivenOptions = {
	makers: Readonly<Record<string, unknown>>;
	/** The losses in use. */
	names: readonly string[];
	/** Options that have flags of their own. */
	shared: Options;
	lossOption: readonly string[];
	/** The data sets that have a loss of their own. */
	sets?: readonly string[];
};

export class LossOptions {
	readonly #given: GivenOptions;
	readonly #entries: readonly Entry[];

	constructor(given: GivenOptions) {
		const {makers, names, shared, lossOption, sets = []} = given;
		this.#given = given;
		this.#entries = [
			...Object.entries(shared).map(([key, value]) => {
				return {key, value, place: `--${kebabCase(key)}`};
			}),
			...lossOption.map(text => entryOf(text, makers, sets)),
		];
		for (const {loss, set, key, value, place} of this.#entries) {
			if (set !== undefined) continue;
			if (loss !== undefined && !names.includes(loss)) {
				refuse(place, `an option of ${names.join(' or ')}`, `one of ${loss}`);
			}
			if (loss !== undefined || names.length === 1) continue;
			if (!names.some(name => this.#knows(name, key, value))) {
				refuse(place, `an option that one of ${names.join(', ')} has`, 'one that none has');
			}
		}
	}

	/** The options of a loss by that name; those of its data set come before those of all. */
	of(name: string, set?: string): Options {
		const isAlone = this.#given.names.length === 1;
		const own = this.#entries.filter(({loss, set: ofSet, key, value}) => {
			if (ofSet !== undefined) return false;
			return loss === undefined ? isAlone || this.#knows(name, key, value) : loss === name;
		});
		const ofSet = this.#entries.filter(entry => set !== undefined && entry.set === set);
		return Object.fromEntries([...own, ...ofSet].map(({key, value}) => [key, value]));
	}

	#knows(name: string, key: string, value: unknown): boolean {
		try {
			(this.#given.makers[name] as (options: Options) => unknown)({[key]: value});
			return true;
		} catch (error) {
			// What is wrong with the value is said where the loss is made.
			return !(error instanceof EngineError && error.code === 'OPTION_UNKNOWN');
		}
	}
}

/** A number, true or false, otherwise a word. */
export function readValue(text: string): string | number | boolean {
	if (text === 'true' || text === 'false') return text === 'true';
	return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** `key=value`, `loss.key=value` or `set.key=value`; a list at commas. */
function entryOf(text: string, makers: GivenOptions['makers'], sets: readonly string[]): Entry {
	const [, name, key, value] = /^(?:([^=.]+)\.)?([^=]+)=(.*)$/s.exec(text) ?? [];
	if (key === undefined || value === undefined) {
		const message = `--loss-option: expected key=value, got ${JSON.stringify(text)}`;
		throw new EngineError('OPTION_TYPE', message);
	}
	const isList = value.includes(',');
	const given = isList ? value.split(',').map(readValue) : readValue(value);
	const entry = {key: camelCase(key), value: given, place: `--loss-option ${text}`};
	if (name === undefined) return entry;
	if (sets.includes(name)) return {...entry, set: name};
	const loss = name.toLowerCase().replaceAll(/[-_]/g, '');
	if (!Object.hasOwn(makers, loss)) {
		refuse(`--loss-option ${text}`, 'the name of a loss or data set before the dot', name);
	}
	return {...entry, loss};
}

/** `student-temperature` is studentTemperature, as everywhere on the command line. */
function camelCase(key: string): string {
	return key.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function refuse(place: string, expected: string, got: string): never {
	throw new EngineError('OPTION_CONFLICT', `${place}: expected ${expected}, got ${got}`);
}
