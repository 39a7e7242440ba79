// Every op and a tiny model under the address, undefined and thread sanitizers. Threads share work in
// the same way with all kernels, so that they are watched with one set; `npm run test:sanitize`
// watches all.

import {beforeAll, describe, expect, test} from 'vitest';
import {native} from '../../dist/native.js';
import {
	buildDriver,
	hasSanitizers,
	kernels,
	runDriver,
	sanitizers,
} from '../../scripts/sanitize.mjs';

const patience = 1_200_000; // two builds of everything on a busy machine
const first = native().kernels();
const usable = kernels.filter(name => native().useKernels(name));
native().useKernels(first);

const watched: Record<string, readonly string[]> = {address: kernels, thread: [usable.at(-1)!]};

const canBuild = hasSanitizers();

describe.skipIf(!canBuild)('the driver (skipped where the compiler has no sanitizers)', () => {
	describe.each(Object.keys(sanitizers))('watched for %s errors', sanitizer => {
		beforeAll(() => buildDriver(sanitizer), patience);

		for (const name of watched[sanitizer]!) {
			test.skipIf(!usable.includes(name))(
				`runs clean with ${name} kernels (skipped where the CPU lacks them)`,
				async () => {
					expect(await runDriver(sanitizer, name)).toBe('clean');
				},
				patience,
			);
		}
	});
});
