// What a model is evaluated on, by the names that users give: folders of retrieval sets, files of pairs.

import {stat} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {type RetrievalSet, readRetrievalSet} from './beir.js';
import {readPairs, type ScoredPairs} from './pairs.js';
import {type CorpusOptions, readQueryFile} from './query-file.js';

export type Task = 'retrieval' | 'sts';

/** A set as it is asked for: `path` or `name=path`; with documents it is a file of queries. */
export type SetSource = {task: Task; source: string; documents?: CorpusOptions | undefined};

/** A set that was read and checked. */
export type EvaluationSet =
	| {task: 'retrieval'; name: string; set: RetrievalSet}
	| {task: 'sts'; name: string; set: ScoredPairs};

export async function openSet(
	{task, source, documents}: SetSource,
	{split, signal}: {split: string; signal?: AbortSignal | undefined},
): Promise<EvaluationSet> {
	const {name, path} = await splitName(source);
	if (task === 'sts') return {task, name, set: {...(await readPairs(path, {signal})), name}};
	if (documents) {
		const set = await readQueryFile(path, {...documents, signal});
		return {task, name, set: {...set, name}};
	}

	if (!(await isFolder(path))) {
		const hint = 'a file of scored pairs is for sts';
		const message = `${path}: expected a folder with a retrieval set, got none; ${hint}`;
		throw new EngineError('FILE_NOT_FOUND', message);
	}
	return {task, name, set: {...(await readRetrievalSet(path, {split, signal})), name}};
}

/** `name=path`, unless something is really called so. */
async function splitName(source: string): Promise<{name: string; path: string}> {
	const [, name, path] = /^([^/=]+)=(.+)$/.exec(source) ?? [];
	if (name === undefined || path === undefined || (await isThere(source))) {
		return {name: source, path: source};
	}
	return {name, path};
}

async function isThere(path: string): Promise<boolean> {
	return stat(path).then(
		() => true,
		() => false,
	);
}

async function isFolder(path: string): Promise<boolean> {
	return stat(path).then(
		found => found.isDirectory(),
		() => false,
	);
}
