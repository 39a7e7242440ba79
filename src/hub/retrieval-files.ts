// Data sets in the shape of BEIR: a corpus, queries, and judgements of a split, in files, folders or
// configurations of these names; judgements may be a data set of their own, `<name>-qrels`.

import type {DataConfig} from './data-configs.js';
import {formatOf, isHidden, splitOf} from './file-names.js';

export interface RetrievalFiles {
	corpus: string[];
	queries: string[];
	/** Judgements of the split that is asked for; none where another data set has them. */
	qrels: string[];
	/** Judgements of other splits. */
	others: string[];
}

/** Files of a split, as a configuration says or as their names do. */
export interface NamedFiles {
	split: string | undefined;
	files: string[];
}

/** The files, if a data set is of this shape, below a folder or under a prefix of configurations. */
export function retrievalFiles(
	names: readonly string[],
	configs: readonly DataConfig[],
	{path, filesOf}: {path: string; filesOf: (config: DataConfig) => NamedFiles[]},
): RetrievalFiles | undefined {
	const last = path.split('/').at(-1)!;
	const split = splitOf(last);
	const base = split === undefined ? path : path.slice(0, -last.length).replace(/\/$/, '');
	const configured = (name: string) => {
		const config = configs.find(each => each.name === name);
		return config && filesOf(config);
	};
	const part = (name: string) =>
		configured(base === '' ? name : `${base}-${name}`) ?? below(names, base, name);
	const corpus = part('corpus').flatMap(({files}) => files);
	const queries = part('queries').flatMap(({files}) => files);
	if (corpus.length === 0 || queries.length === 0) return;
	const given = [...part('qrels'), ...(configured(base === '' ? 'default' : base) ?? [])];
	const judged = given.flatMap(each => each.files.map(name => ({name, split: each.split})));
	const own = judged.filter(({name}) => !corpus.includes(name) && !queries.includes(name));
	const isWanted = (each: {name: string; split: string | undefined}) =>
		splitOf(each.split ?? each.name) === (split ?? 'train');
	const of = (list: readonly {name: string}[]) => [...new Set(list.map(({name}) => name))];
	const qrels = of(own.filter(isWanted));
	return {corpus, queries, qrels, others: of(own).filter(name => !qrels.includes(name))};
}

/** `corpus.jsonl`, `corpus/…` and `qrels_train.tsv`, of one format where there are several. */
function below(names: readonly string[], folder: string, name: string): NamedFiles[] {
	const begin = folder === '' ? '' : `${folder}/`;
	const own = names.filter(each => {
		const isOwn = each.startsWith(begin) && /^[./_-]/.test(each.slice(begin.length + name.length));
		return isOwn && each.startsWith(name, begin.length) && formatOf(each) !== undefined;
	});
	const rows = own.filter(each => !isHidden(each));
	const formats = new Set(rows.map(formatOf));
	const isOne = name === 'qrels' || formats.size < 2;
	const files = isOne ? rows : rows.filter(each => formatOf(each) === [...formats].sort()[0]);
	return [{split: undefined, files}];
}
