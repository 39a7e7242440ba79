// Weight files in half precision: what a model of f32 weighs in the repository is halved, and no
// embedding moves by more than the rounding of its weights.

import {readSafetensorsHeader, readTensor, writeSafetensors} from '../../dist/files/safetensors.js';

/** Copies a file of F32 tensors to `target` as F16. */
export async function halveWeights(path, target) {
	const {tensors, metadata} = await readSafetensorsHeader(path);
	const sources = [...tensors.values()].map(entry => ({
		name: entry.name,
		dtype: 'F16',
		shape: entry.shape,
		bytes: async () => halved(await readTensor(path, entry)),
	}));
	await writeSafetensors(target, sources, metadata);
}

function halved(bytes) {
	const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
	return new Uint8Array(Uint16Array.from(values, halfBits).buffer);
}

/** The bits of the nearest half-precision number; of two equally near ones the even. */
function halfBits(value) {
	const size = Math.abs(value);
	const sign = value < 0 ? 0x8000 : 0;
	if (!(size < 65520)) throw new Error(`expected numbers below 65520, got ${value}`);
	if (size === 0) return sign;
	const exponent = Math.max(Math.floor(Math.log2(size)), -14);
	const steps = roundedToEven(size / 2 ** (exponent - 10));
	return sign + (exponent + 15) * 1024 + steps - 1024;
}

function roundedToEven(value) {
	const below = Math.floor(value);
	const rest = value - below;
	return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
