// Finds and opens the native binary.

import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';
import {EngineError} from './errors.js';

/** Opens the add-on; throws NATIVE_UNAVAILABLE with everything that was tried. */
export function loadAddon(): object {
	const root = fileURLToPath(new URL('..', import.meta.url));
	const path = `${root}out/cmake/Release/inbatch.node`;
	try {
		const addon = createRequire(import.meta.url)(path) as object;
		return Object.assign(addon, {path});
	} catch (cause) {
		throw new EngineError('NATIVE_UNAVAILABLE', `add-on: expected ${path} to load`, {cause});
	}
}
