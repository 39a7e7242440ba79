// What the card of a data set says of its files: configurations of splits, each of files by patterns, as
// the reference library reads them from the beginning of README.md.

import {parse} from 'yaml';

/** Files of a split; without a name the files themselves say theirs. */
export interface SplitFiles {
	split: string | undefined;
	patterns: readonly string[];
}

export interface DataConfig {
	name: string;
	isDefault: boolean;
	/** Nothing where the names of the files below its folder say it all. */
	files: readonly SplitFiles[];
	/** What patterns start from; '' for the data set itself. */
	folder: string;
}

/** The configurations that a card names; none of one without. Throws where it is no YAML. */
export function configsOf(card: string): DataConfig[] {
	const [, head] = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n---/.exec(card) ?? [];
	const facts: unknown = head === undefined ? undefined : parse(head);
	const configs = isObject(facts) ? facts['configs'] : undefined;
	return Array.isArray(configs) ? configs.filter(isObject).map(configOf) : [];
}

/** The configuration that counts where none is named. */
export function defaultConfig(configs: readonly DataConfig[]): DataConfig | undefined {
	const marked = configs.find(({isDefault}) => isDefault);
	const named = configs.find(({name}) => name === 'default');
	return marked ?? named ?? (configs.length === 1 ? configs[0] : undefined);
}

function configOf(config: Record<string, unknown>): DataConfig {
	const {config_name: name = 'default', data_dir: folder = '', data_files: files} = config;
	return {
		name: String(name),
		isDefault: config['default'] === true,
		files: splitsOf(files),
		folder: String(folder).replace(/^\.?\/+|\/+$/g, ''),
	};
}

/** A pattern, a list of them, splits with their patterns, or these by the names of splits. */
function splitsOf(files: unknown): SplitFiles[] {
	if (files === undefined || files === null) return [];
	if (isObject(files) && !('path' in files)) {
		return Object.entries(files).map(([split, path]) => ({split, patterns: patternsOf(path)}));
	}

	const entries = [files].flat() as unknown[];
	return entries.map(entry => {
		if (!isObject(entry)) return {split: undefined, patterns: patternsOf(entry)};
		const {split, path} = entry;
		return {split: split === undefined ? undefined : String(split), patterns: patternsOf(path)};
	});
}

function patternsOf(path: unknown): string[] {
	return ([path].flat() as unknown[])
		.filter(each => typeof each === 'string')
		.map(each => each.replace(/^\.?\/+/, ''));
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}
