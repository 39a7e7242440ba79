// What a preset is: a table of the options of another system, each with its documented default and what it
// becomes here, is refused for, or why it has no effect.

import type {newPartsSchema} from '../model/new-parts.js';
import type {lossSchema, trainSchema} from '../train/options.js';
import type {Counted} from './row-count.js';
import type {Kind, Value, Values} from './values.js';

/** Options of `inbatch train` that a preset may set. */
export type OurName =
	| keyof typeof trainSchema.shape
	| keyof typeof lossSchema.shape
	| keyof typeof newPartsSchema.shape
	| 'data'
	| 'output'
	| 'overwrite'
	| 'resume'
	| 'eval'
	| 'evalLoss'
	| 'model'
	| 'pooling'
	| 'normalize'
	| 'maxLength'
	| 'truncationSide'
	| 'revision'
	| 'cache'
	| 'device'
	| 'dtype'
	| 'threads';

export type OurValue = string | number | boolean | readonly (string | number)[];
export type Ours = {readonly [K in OurName]?: OurValue | undefined};

/** What an option of theirs becomes. Exactly one of `to`, `refused` and `dead`, or none of them where others read it. */
export type Option = {
	kind: Kind;
	/** As documented, or as its code has it; nothing: not set. */
	default?: Value;
	/** Whether null, or a key taken away, stands for none although there is a default. */
	nullable?: true;
	/** Other spellings. */
	aliases?: readonly string[];
	/** Its options here, as a function of all values. `say` tells the user something. */
	to?: (values: Values, say: (text: string) => void) => Ours;
	/** Why a value cannot be had here; nothing for a value that asks for nothing. */
	refused?: (values: Values) => string | undefined;
	/** Whether it is accepted only at values that ask for nothing. */
	isIdle?: true;
	/** Why it has no effect. Said when it is given. */
	dead?: string;
};

export type Table = Readonly<Record<string, Option>>;

export type Preset = {
	name: string;
	/** The system in words. */
	title: string;
	/** `flags`: --name value, as argparse reads them. `overrides`: a.b.c=value, as Hydra reads them. */
	dialect: 'flags' | 'overrides';
	options: Table;
	/** What the system does whatever is given; an option of ours may say otherwise. */
	fixed?: (values: Values) => Ours;
	/** How it calls what must be given. */
	names: {readonly [K in 'model' | 'data' | 'output']: string};
	/** Which programs the preset stands for; of others it says what to do instead. */
	programs: readonly {name: RegExp; instead?: string}[];
	/** The flag that names a YAML or JSON file of further options, below the command line. */
	configFlag?: string;
	/** The configuration that the table has the defaults of. */
	configName?: string;
	/** The data, and names of their fields: their first record says which losses there can be. */
	negativesIn?: (values: Values) => {
		data: string | readonly string[] | undefined;
		map: Readonly<Record<string, string>>;
	};
	/** The data whose rows the schedule is made for, where the system counts them by a rule of its own. */
	countedIn?: (values: Values) => Counted | undefined;
	/** What must hold, or should be said, about all values together. */
	check?: (values: Values, say: (text: string) => void) => void;
};

type Given = Pick<Option, 'default' | 'aliases' | 'nullable'>;

/** An option that becomes others here. */
export function maps(kind: Kind, to: NonNullable<Option['to']>, given: Given = {}): Option {
	return {kind, to, ...given};
}

/** An option that is one of ours under another name. */
export function renamed(kind: Kind, ours: OurName, given: Given = {}): Option {
	return maps(kind, values => ({[ours]: values.own() ?? undefined}), given);
}

/** An option that asks for options of ours when it is true. */
export function asking(ours: Ours, given: Given = {default: false}): Option {
	return maps('boolean', values => (values.own() === true ? ours : {}), given);
}

/** The one file or folder of data. */
export function dataSource(): Option {
	return maps('text', values => {
		const path = values.own() ?? undefined;
		return {data: path === undefined ? undefined : [String(path)]};
	});
}

/** An option that others read. */
export function read(kind: Kind, given: Given = {}): Option {
	return {kind, ...given};
}

/** An option without effect, there or here. */
export function dead(kind: Kind, why: string, given: Given = {}): Option {
	return {kind, dead: why, ...given};
}

/** Options without effect for one reason, by their defaults. */
export function deadOptions(
	why: string,
	kind: Kind,
	defaults: Readonly<Record<string, Value>>,
	prefix = '',
): Table {
	const entries = Object.entries(defaults).map(([name, value]): [string, Option] => [
		`${prefix}${name}`,
		dead(kind, why, {default: value}),
	]);
	return Object.fromEntries(entries);
}

/** An option that is only accepted at values that ask for nothing: its default, or one of `idle`. */
export function refused(
	kind: Kind,
	why: string,
	given: Given & {idle?: readonly Value[]} = {},
): Option {
	const {idle = [], ...rest} = given;
	const quiet = [undefined, null, rest.default, ...idle].map(textOf);
	return {
		kind,
		...rest,
		isIdle: true,
		refused: values => (quiet.includes(textOf(values.own())) ? undefined : why),
	};
}

function textOf(value: unknown): string {
	return JSON.stringify(value ?? null);
}
