// Which files of a data set are rows for training. Splits are told by names, as the reference library
// tells them; of several formats that hold the same, one is taken.

import {EngineError} from '../errors.js';
import type {DataSetId} from './id.js';

export interface DataFiles {
	files: string[];
	/** Files of rows that are not taken, with the reason, each to be said. */
	left: string[];
}

const formats = ['parquet', 'jsonl', 'ndjson', 'json', 'csv', 'tsv'] as const;

const splitNames = {
	train: ['train', 'training'],
	validation: ['validation', 'valid', 'dev', 'val'],
	test: ['test', 'testing', 'eval', 'evaluation'],
} as const;

type Split = keyof typeof splitNames;

/** What describes the rows and is none. */
const descriptions = /(^|\/)(dataset_infos?|state|dataset_dict|metadata)\.json$/;

/** The files that the path of a data set names: one, a pattern, a folder or a split of either. */
export function chooseDataFiles(names: readonly string[], dataSet: DataSetId): DataFiles {
	const {path} = dataSet;
	if (names.includes(path)) return {files: [path], left: []};
	const rows = names.filter(name => formatOf(name) !== undefined && !isHidden(name)).sort();
	if (/[*?]/.test(path)) {
		const pattern = patternOf(path);
		return expectSome({files: rows.filter(name => pattern.test(name)), left: []}, rows, dataSet);
	}

	const below = (folder: string) =>
		rows.filter(name => folder === '' || name.startsWith(`${folder}/`));
	const inside = below(path);
	if (inside.length > 0) return expectSome(ofTraining(inside), inside, dataSet);
	const last = path.lastIndexOf('/') + 1;
	const wanted = splitOf(path.slice(last));
	const files = below(path.slice(0, Math.max(0, last - 1))).filter(
		name => wanted !== undefined && splitOf(name) === wanted,
	);
	return expectSome(ofOneFormat(files), rows, dataSet);
}

function expectSome(chosen: DataFiles, rows: readonly string[], {id, path}: DataSetId): DataFiles {
	if (chosen.files.length > 0) return chosen;
	const some = rows.slice(0, 5).join(', ');
	const what = path === '' ? 'a split for training' : JSON.stringify(path);
	const expected = `expected files of ${what} as Parquet, JSON, CSV or TSV`;
	const hint = 'name a file, a folder, a pattern or a split behind the name';
	const got = rows.length === 0 ? 'none of any' : `${some}${rows.length > 5 ? ', …' : ''}; ${hint}`;
	throw new EngineError('FILE_NOT_FOUND', `${id}: ${expected}, got ${got}`);
}

/** Those of the split train; all of them where no name says a split. */
function ofTraining(rows: readonly string[]): DataFiles {
	const train = rows.filter(name => splitOf(name) === 'train');
	if (train.length === 0 && rows.some(name => splitOf(name) !== undefined)) {
		return {files: [], left: []};
	}

	const {files, left} = ofOneFormat(train.length > 0 ? train : rows);
	const unmarked = train.length === 0 ? [] : rows.filter(name => splitOf(name) === undefined);
	return {files, left: [...left, ...unmarked.map(name => `${name}: left out, no file of train`)]};
}

/** Those of the format that most have, the first in the table of equals. */
function ofOneFormat(rows: readonly string[]): DataFiles {
	const count = (format: string) => rows.filter(name => formatOf(name) === format).length;
	const best = [...formats].sort((a, b) => count(b) - count(a))[0]!;
	const others = rows.filter(name => formatOf(name) !== best);
	return {
		files: rows.filter(name => formatOf(name) === best),
		left: others.map(name => `${name}: left out beside files of ${best}`),
	};
}

function formatOf(name: string): (typeof formats)[number] | undefined {
	if (descriptions.test(name)) return;
	const extension = name.replace(/\.gz$/, '').split('.').at(-1)!.toLowerCase();
	return formats.find(format => format === extension);
}

function isHidden(name: string): boolean {
	return name.split('/').some(part => part.startsWith('.') || part.startsWith('_'));
}

/** The split that the name of a file says or, nearest first, the names of its folders. */
function splitOf(name: string): Split | undefined {
	for (const part of name.split('/').reverse()) {
		const words = part.toLowerCase().split(/[-._ \d]+/);
		for (const [split, names] of Object.entries(splitNames)) {
			if (names.some(each => words.includes(each))) return split as Split;
		}
	}

	return;
}

/** `*` and `?` stay within a folder, `**` does not. */
function patternOf(path: string): RegExp {
	const source = path
		.replace(/[.+^${}()|[\]\\]/g, '\\$&')
		.replace(/\*\*\/|\*\*|\*|\?/g, text =>
			text === '**/' ? '(.*/)?' : text === '**' ? '.*' : text === '*' ? '[^/]*' : '[^/]',
		);
	return new RegExp(`^${source}$`);
}
