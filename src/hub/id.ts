// Ids of models of the hub: `org/name` or `name`, with a revision behind an @ if need be.

import {EngineError} from '../errors.js';

export type ModelId = {id: string; revision: string};

const part = /^(?![-.])(?!.*(--|\.\.))[\w.-]{1,96}(?<![-.])$/;

/** What a source names: undefined for one that cannot be an id. */
export function parseModelId(source: string, asked?: string): ModelId | undefined {
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
