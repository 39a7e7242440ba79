// The kernels of each instruction set, chosen at run time, through a whole model.

import {expect, test} from 'vitest';
import {native} from '../../dist/native.js';
import {batchOf, encode, tinyModel} from './tiny-model.mjs';

const names = ['baseline', 'avx2', 'avx512'];
const first = native().kernels();
const usable = names.filter(name => native().useKernels(name));
native().useKernels(first);

async function encodeWith(kernels: string, threads = 2): Promise<Float32Array> {
	native().useKernels(kernels);
	const model = await tinyModel(new (native().Device)(threads));
	const embeddings = await encode(model, batchOf(40));
	await model.dispose();
	native().useKernels(first);
	return embeddings;
}

test('every CPU has the baseline, and uses the best it has', () => {
	expect(usable[0]).toBe('baseline');
	expect([usable.at(-1), process.env.INBATCH_KERNELS]).toContain(first);
});

test('kernels that do not exist are not used', () => {
	expect(native().useKernels('mmx')).toBe(false);
	expect(native().kernels()).toBe(first);
});

test.each(usable)('%s gives the same bits with any number of threads', async name => {
	const one = await encodeWith(name, 1);
	expect(await encodeWith(name, 2)).toEqual(one);
	expect(await encodeWith(name, 5)).toEqual(one);
});

test.skipIf(!usable.includes('avx512'))(
	'avx512 gives the bits of avx2 (skipped where the CPU lacks AVX-512)',
	async () => {
		expect(await encodeWith('avx512')).toEqual(await encodeWith('avx2'));
	},
);

test.skipIf(!usable.includes('avx2'))(
	'avx2 agrees with the baseline to rounding (skipped where the CPU lacks AVX2)',
	async () => {
		const [wide, plain] = [await encodeWith('avx2'), await encodeWith('baseline')];
		const difference = Math.max(...wide.map((value, index) => Math.abs(value - plain[index]!)));
		const unit = 2 ** -24; // of float32, of rows whose norm is one
		expect(difference).toBeLessThan(64 * unit);
	},
);
