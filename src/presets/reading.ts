// What both ways of writing options have in common: the words at hand, names of options, our own options
// among theirs.

import {EngineError} from '../errors.js';
import {nearest} from '../option-names.js';
import type {Preset} from './table.js';
import {type GivenValue, valueAs} from './values.js';

/** An option of ours as the command line has it: `--threads`. */
export type OwnFlag = {takesValue: boolean; isVariadic: boolean; isOptional?: boolean};
export type OwnFlags = ReadonlyMap<string, OwnFlag>;

/** The options of a documented command, by name, and ours that stood among them. */
export class Reading {
	readonly given = new Map<string, GivenValue>();
	readonly own: string[] = [];
	readonly says: string[] = [];
	readonly preset: Preset;
	readonly #names: ReadonlyMap<string, string>;
	readonly #ownFlags: OwnFlags;

	constructor(preset: Preset, ownFlags: OwnFlags) {
		this.preset = preset;
		this.#ownFlags = ownFlags;
		const entries = Object.entries(preset.options);
		this.#names = new Map(
			entries.flatMap(([name, {aliases = []}]) => [name, ...aliases].map(each => [each, name])),
		);
	}

	/** The name in the table, of a name or another spelling of it. */
	nameOf(spelled: string): string | undefined {
		return this.#names.get(spelled);
	}

	/** The name in the table, or all names of the branch that it is. */
	namesBelow(spelled: string): string[] {
		const own = this.nameOf(spelled);
		const below = Object.keys(this.preset.options).filter(name => name.startsWith(`${spelled}.`));
		return own === undefined ? below : [own, ...below];
	}

	/** Takes a value; of several for one option the last counts. */
	give(name: string, {value, place}: GivenValue): void {
		const {kind, default: standard, nullable, dead} = this.preset.options[name]!;
		const isNeeded = standard !== undefined && standard !== null && !nullable && dead === undefined;
		if (value === null && isNeeded) {
			throw new EngineError('OPTION_MISSING', `${place}: expected a value, got none`);
		}
		const typed = value === null ? null : valueAs(kind, value, place);
		this.given.set(name, {value: typed, place});
	}

	/**
	Takes an option of ours with its values from the words; says how many words that were. A value ends
	where `isNext` says that another option begins.
	*/
	takeOwn(words: readonly string[], isNext: (word: string) => boolean): number {
		const [word = '', ...rest] = words;
		const [flag = '', ...inline] = word.split('=');
		const own = this.#ownFlags.get(flag);
		if (!own) return 0;
		const isLone = own.isOptional && (rest[0] === undefined || isNext(rest[0]));
		const isWhole = !own.takesValue || inline.length > 0 || isLone;
		const found = rest.findIndex((each, index) => index > 0 && isNext(each));
		const several = found < 0 ? rest.length : found;
		const count = isWhole ? 1 : 1 + (own.isVariadic ? several : 1);
		this.own.push(...words.slice(0, count));
		return count;
	}

	/** The error of a name that neither that system nor we have. */
	unknown(spelled: string, prefix = ''): EngineError {
		const known = [...this.#names.keys()].map(name => prefix + name);
		const where = `--preset ${this.preset.name}`;
		const message = `${where}: expected an option of ${this.preset.title}, got ${spelled}`;
		const hint = `did you mean ${nearest(spelled, known)}?`;
		return new EngineError('OPTION_UNKNOWN', `${message}; ${hint}`);
	}
}
