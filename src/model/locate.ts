// From what a user names to a folder: a path, the embedded model, or an id of the hub.

import {stat} from 'node:fs/promises';
import {resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {EngineError} from '../errors.js';
import {parseModelId} from '../hub/id.js';
import type {HubOptions} from '../hub/settings.js';
import type {DownloadProgress} from '../hub/snapshot.js';

export type LocateOptions = HubOptions & {
	signal?: AbortSignal | undefined;
	/** While files of the hub are downloaded. */
	onProgress?: ((progress: DownloadProgress) => void) | undefined;
};

export type Located = {path: string; warnings: string[]};

/** The folder of a source. A folder that is there wins over an id of the same name. */
export async function locateModel(source: string, options: LocateOptions = {}): Promise<Located> {
	const {revision, cache, offline, token, endpoint, signal, onProgress} = options;
	const given = {revision, cache, offline, token, endpoint};
	const isPlain = Object.values(given).every(value => value === undefined);
	const folder = await localFolder(source);
	if (folder !== undefined && isPlain) return {path: folder, warnings: []};
	// Only who asks for something of the hub loads its options, and who needs the network its code.
	const {hubLoadOptions, readHubSettings} = await import('../hub/settings.js');
	const {parseOptions} = await import('../options.js');
	const hub = parseOptions(hubLoadOptions, given, 'load');
	if (folder !== undefined) {
		const ignored = `${source}: a folder has no revisions; --revision ${revision} is not used`;
		return {path: folder, warnings: revision === undefined ? [] : [ignored]};
	}
	const model = parseModelId(source, revision);
	if (!model) {
		throw new EngineError(
			'MODEL_NOT_FOUND',
			`model: expected a folder, an id of the hub or 'builtin', got ${source}, which is none`,
		);
	}
	const settings = await readHubSettings(hub);
	const {openSnapshot} = await import('../hub/snapshot.js');
	return openSnapshot(model, settings, {signal, onProgress});
}

async function localFolder(source: string): Promise<string | undefined> {
	if (source === 'builtin') return fileURLToPath(new URL('../../models/builtin', import.meta.url));
	const found = await stat(source).catch(() => undefined);
	if (found === undefined) return undefined;
	if (found.isDirectory()) return resolve(source);
	throw new EngineError('MODEL_NOT_FOUND', `model: expected a folder, got the file ${source}`);
}
