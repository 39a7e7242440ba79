// Every test of an op runs on every set of kernels that this CPU has, and says aloud which it lacks.

import {afterAll, beforeAll, describe, test} from 'vitest';
import {type NativeDevice, native} from '../../dist/native.js';
import type {Matrix} from './matrix.js';
import {newDevice} from './run-op.js';
import {expectSameBits} from './tolerance.js';

const names = ['baseline', 'avx2', 'avx512'] as const;

const usual = native().kernels();
const runs = (name: string) => native().useKernels(name);
const available = new Set<string>(names.filter(runs));
native().useKernels(usual);

/** The tests in `body`, once for each set of kernels; the usual one is in use again afterwards. */
export function onEveryPath(subject: string, body: (device: NativeDevice) => void): void {
	for (const name of names) {
		const title = `${subject} with ${name} kernels`;
		describe.skipIf(!available.has(name))(available.has(name) ? title : lacking(title), () => {
			beforeAll(() => void native().useKernels(name));
			afterAll(() => void native().useKernels(usual));
			body(newDevice());
		});
	}
}

/** That the bits of what `run` returns depend on neither the vector width nor the number of threads. */
export function sameBitsEverywhere(
	subject: string,
	run: (device: NativeDevice) => Promise<readonly Matrix[]>,
): void {
	const both = available.has('avx2') && available.has('avx512');
	const title = `${subject} gives the same bits with avx2 and avx512 kernels`;
	test.skipIf(!both)(both ? title : lacking(title), async () => {
		const narrow = await withKernels('avx2', () => run(newDevice()));
		expectAllSame(await withKernels('avx512', () => run(newDevice())), narrow);
	});

	for (const name of available) {
		test(`${subject} gives the same bits with 1, 2 and 3 threads and ${name} kernels`, async () => {
			await withKernels(name, async () => {
				const alone = await run(newDevice(1));
				expectAllSame(await run(newDevice(2)), alone);
				expectAllSame(await run(newDevice(3)), alone);
			});
		});
	}
}

export async function withKernels<Value>(name: string, body: () => Promise<Value>): Promise<Value> {
	native().useKernels(name);
	try {
		return await body();
	} finally {
		native().useKernels(usual);
	}
}

function lacking(title: string): string {
	return `${title} (skipped: this CPU lacks them)`;
}

function expectAllSame(actual: readonly Matrix[], expected: readonly Matrix[]): void {
	for (const [index, matrix] of expected.entries()) expectSameBits(actual[index]!, matrix);
}
