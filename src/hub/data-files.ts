// Which files of a data set are rows for training. Its card says it, where it has configurations;
// otherwise splits are told by names, as the reference library tells them, and of several formats that
// hold the same, one is taken.

import {EngineError} from '../errors.js';
import {type DataConfig, defaultConfig} from './data-configs.js';
import {formatOf, isHidden, ofOneFormat, patternOf, splitOf} from './file-names.js';
import type {DataSetId} from './id.js';
import {type NamedFiles, type RetrievalFiles, retrievalFiles} from './retrieval-files.js';

export interface DataFiles {
	files: string[];
	/** Files of rows that are not taken, with the reason, each to be said. */
	left: string[];
	/** What the files are in a data set of corpus, queries and judgements. */
	retrieval?: RetrievalFiles;
}

/**
The files that the path of a data set names: one, a pattern, a configuration, a folder, or a split of
one of these.
*/
export function chooseDataFiles(
	names: readonly string[],
	dataSet: DataSetId,
	configs: readonly DataConfig[] = [],
): DataFiles {
	const {path} = dataSet;
	if (names.includes(path)) return {files: [path], left: []};
	const rows = names.filter(name => formatOf(name) !== undefined && !isHidden(name)).sort();
	if (/[*?]/.test(path)) {
		const pattern = patternOf(path);
		return expectSome({files: rows.filter(name => pattern.test(name)), left: []}, rows, dataSet);
	}

	const filesOf = (config: DataConfig) => filesIn(config, names);
	const retrieval = retrievalFiles(rows, configs, {path, filesOf});
	if (retrieval !== undefined) return judgedFiles(retrieval, dataSet);
	const configured = fromConfigs(names, dataSet, configs);
	if (configured !== undefined) return expectSome(configured, rows, dataSet);
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

function judgedFiles(retrieval: RetrievalFiles, {id}: DataSetId): DataFiles {
	const {corpus, queries, qrels, others} = retrieval;
	if (qrels.length > 0 || others.length === 0) {
		return {files: [...corpus, ...queries, ...qrels], left: [], retrieval};
	}

	const hint = 'name another split behind the name';
	const message = `${id}: expected judgements to train on, got ${others.join(', ')}; ${hint}`;
	throw new EngineError('FILE_NOT_FOUND', message);
}

/** What a configuration says to the path; nothing where no configuration is meant. */
function fromConfigs(
	names: readonly string[],
	{id, path}: DataSetId,
	configs: readonly DataConfig[],
): DataFiles | undefined {
	if (configs.length === 0) return;
	const [first = '', ...rest] = path.split('/');
	const own = configs.find(({name}) => name === path) ?? configs.find(({name}) => name === first);
	if (own !== undefined) return splitIn(own, names, own.name === path ? undefined : rest.join('/'));
	const standard = defaultConfig(configs);
	if (standard !== undefined && rest.length === 0) {
		const found = splitIn(standard, names, path === '' ? undefined : path);
		if (path === '' || found.files.length > 0) return found;
	}

	if (path !== '' || standard !== undefined) return;
	const all = configs.map(({name}) => name).join(', ');
	const message = `${id}: expected one of its configurations behind the name, got ${all}`;
	throw new EngineError('OPTION_MISSING', message);
}

/** The files of a split, of that for training where none is named. */
function splitIn(config: DataConfig, names: readonly string[], wanted?: string): DataFiles {
	const splits = filesIn(config, names);
	const of = (accepts: (split: string) => boolean) =>
		splits.flatMap(({split, files}) => (split !== undefined && accepts(split) ? files : []));
	const exact = of(split => split === (wanted ?? 'train'));
	if (exact.length > 0) return {files: exact, left: []};
	const kind = wanted === undefined ? 'train' : splitOf(wanted);
	const alike = of(split => kind !== undefined && splitOf(split) === kind);
	if (alike.length > 0) return {files: alike, left: []};
	const unnamed = splits.flatMap(({split, files}) => (split === undefined ? files : []));
	if (wanted !== undefined) {
		return {files: unnamed.filter(name => kind && splitOf(name) === kind), left: []};
	}

	const isSaid = splits.some(({split}) => split !== undefined && splitOf(split) !== undefined);
	if (isSaid) return {files: [], left: []};
	return unnamed.length > 0 ? ofTraining(unnamed) : {files: of(() => true), left: []};
}

/** The files of each split of a configuration; of one without patterns all below its folder. */
function filesIn({files, folder}: DataConfig, names: readonly string[]): NamedFiles[] {
	const begin = folder === '' ? '' : `${folder}/`;
	const rows = names.filter(name => name.startsWith(begin) && formatOf(name) !== undefined).sort();
	if (files.length === 0) {
		return [{split: undefined, files: rows.filter(name => !isHidden(name))}];
	}

	return files.map(({split, patterns}) => {
		const fitting = patterns.map(pattern => patternOf(begin + pattern));
		return {split, files: rows.filter(name => fitting.some(pattern => pattern.test(name)))};
	});
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
