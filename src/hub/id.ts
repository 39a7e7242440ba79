// Ids of repositories of the hub. A model is `org/name` or `name`, with a revision behind an @ if need
// be; a data set is `hf://datasets/org/name@revision/path`.

import {EngineError} from '../errors.js';

export type RepositoryId = {
	id: string;
	revision: string;
	/** Default model. */
	kind?: 'dataset';
};

/** A data set, and what of it: files, a folder or a split; all of it without a path. */
export type DataSetId = RepositoryId & {kind: 'dataset'; path: string};

const part = /^(?![-.])(?!.*(--|\.\.))[\w.-]{1,96}(?<![-.])$/;

/** What a source names: undefined for one that cannot be an id. */
export function parseModelId(source: string, asked?: string): RepositoryId | undefined {
	const at = source.indexOf('@');
	const id = at === -1 ? source : source.slice(0, at);
	const parts = id.split('/');
	if (parts.length > 2 || !parts.every(one => part.test(one))) return undefined;
	const own = at === -1 ? undefined : source.slice(at + 1);
	if (own !== undefined && asked !== undefined && own !== asked) {
		throw new EngineError('OPTION_CONFLICT', `revision: expected one, got ${asked} and ${source}`);
	}
	return {id, revision: expectRevision(own ?? asked ?? 'main')};
}

const scheme = 'hf://datasets/';

export function isDataSetId(source: string): boolean {
	return source.startsWith('hf://');
}

/** What `hf://datasets/owner/name@revision/path` names; slashes of a revision are written %2F. */
export function parseDataSetId(source: string): DataSetId {
	const [owner = '', second = '', ...rest] = source.slice(scheme.length).split('/');
	const [name = '', own] = second.split('@');
	const isId = source.startsWith(scheme) && [owner, name].every(one => part.test(one));
	const path = rest.join('/').replace(/\/+$/, '');
	if (!isId || second.split('@').length > 2 || !(path === '' || isInside(path))) {
		const expected = 'expected hf://datasets/owner/name, with @revision and /path if need be';
		throw new EngineError('OPTION_RANGE', `data: ${expected}, got ${JSON.stringify(source)}`);
	}

	const revision = expectRevision(own === undefined ? 'main' : own.replaceAll(/%2f/gi, '/'));
	return {id: `${owner}/${name}`, revision, kind: 'dataset', path};
}

/** Where a repository lies below the address of a hub. */
export function placeOf({id, kind}: RepositoryId): string {
	return kind === undefined ? id : `${kind}s/${id}`;
}

/** A revision is the name of a file of the cache, so it must stay in its folder. */
function expectRevision(revision: string): string {
	const isName = revision.length <= 250 && isInside(revision) && !/[\s~^:?*[]/.test(revision);
	if (isName) return revision;
	const got = JSON.stringify(revision);
	throw new EngineError('OPTION_RANGE', `revision: expected a branch, tag or commit, got ${got}`);
}

/** Whether a path, of parts between slashes, stays below the folder that it starts from. */
export function isInside(path: string): boolean {
	const isPlain = (name: string) => name !== '' && name !== '.' && name !== '..';
	return !/[\\\p{Cc}]/u.test(path) && path.split('/').every(isPlain);
}
