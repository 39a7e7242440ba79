// What no reader of files may wait for.

import {stat} from 'node:fs/promises';
import {EngineError} from './errors.js';

/**
Refuses a pipe, device or socket where a file should be: opening one may wait for ever. A path that leads nowhere or to a
folder is left to whoever opens it.
*/
export async function expectNoPipe(path: string): Promise<void> {
	const found = await stat(path).catch(() => undefined);
	if (!found || found.isFile() || found.isDirectory()) return;
	throw new EngineError('FILE_UNREADABLE', `${path}: expected a file, got a pipe or device`);
}
