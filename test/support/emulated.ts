// The add-on whose one card is emulated; `node scripts/build.mjs --emulated` makes it. EMULATOR=off leaves
// it out where there is a real card; EMULATOR_ADDON names another one (scripts/faults.mjs).

import {existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {EngineError} from '../../dist/errors.js';
import {type Native, type NativeDevice, native} from '../../dist/native.js';

export const emulatedPath =
	process.env.EMULATOR_ADDON ??
	join(import.meta.dirname, '../../out/emulated/Release/inbatch.node');

export const isEmulating = process.env.EMULATOR !== 'off';

/** The add-on with a card that tests of whole models open. */
export const cardAddonPath = isEmulating
	? emulatedPath
	: join(import.meta.dirname, '../../out/cmake/Release/inbatch.node');

let opened: Native | undefined;

export function emulated(): Native {
	if (!opened) {
		if (!existsSync(emulatedPath)) {
			throw new Error('expected the emulated add-on; run node scripts/build.mjs --emulated');
		}
		opened = createRequire(import.meta.url)(emulatedPath) as Native;
		opened.setErrorClass(EngineError);
	}
	return opened;
}

/** The add-on that a device is of: what works on it must come from there too. */
export function libraryOf(device: NativeDevice): Native {
	return opened && device instanceof opened.Device ? opened : native();
}
