// From weight files to a model: element types, names, and files that lie.

import {readFileSync, renameSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {temporaryFolder} from '../files/folder.js';
import {load, modelFolder, oldShape, rewriteWeights, same, type WeightTensor} from './folders.js';

const {folder} = temporaryFolder();
let made = 0;
const copy = () => modelFolder(join(folder, `model-${made++}`), oldShape);
const texts = ['the symptom', 'what is the age of all the others?'];

/** Sixteenths below 8: seven bits, which every type holds. */
const coarse = ({bytes}: WeightTensor) =>
	new Float32Array(bytes.slice().buffer).map(value => Math.round(16 * value) / 16);

/** The bits of coarse values as F16, by moving exponent and fraction. */
function halves(values: Float32Array): Uint16Array {
	return Uint16Array.from(new Uint32Array(values.slice().buffer), bits => {
		const isZero = (bits & 0x7fffffff) === 0;
		const magnitude = (bits & 0x7fffffff) - ((127 - 15) << 23);
		return ((bits >>> 16) & 0x8000) | (isZero ? 0 : magnitude >>> 13);
	});
}

const encodings = {
	F32: (values: Float32Array) => values,
	F64: (values: Float32Array) => Float64Array.from(values),
	F16: halves,
	BF16: (values: Float32Array) =>
		Uint16Array.from(new Uint32Array(values.slice().buffer), bits => bits >>> 16),
} as const;

async function coarseModel(dtype: keyof typeof encodings): Promise<EmbeddingModel> {
	const path = copy();
	await rewriteWeights(path, (name, tensor) => {
		const {buffer} = encodings[dtype](coarse(tensor));
		return [name, {dtype, shape: tensor.shape, bytes: new Uint8Array(buffer as ArrayBuffer)}];
	});
	return load(path);
}

describe('weights of the same values give the same bits', () => {
	test.each(['F64', 'F16', 'BF16'] as const)('as %s and as F32', async dtype => {
		const [plain, other] = [await coarseModel('F32'), await coarseModel(dtype)];
		expect((await other.encode(texts)).data).toEqual((await plain.encode(texts)).data);
	});

	test.each([
		['with a prefix', (name: string) => `bert.${name}`],
		[
			'with the old names of norms',
			(name: string) =>
				name
					.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma')
					.replace(/LayerNorm\.bias$/, 'LayerNorm.beta'),
		],
	])('%s', async (_, rename) => {
		const path = copy();
		await rewriteWeights(path, (name, tensor) => [rename(name), tensor]);
		const [plain, other] = [await load(copy()), await load(path)];
		expect((await other.encode(texts)).data).toEqual((await plain.encode(texts)).data);
		expect(other.fingerprint).toBe(plain.fingerprint);
	});
});

test('tensors that are not known are named, those that are known and not used are not', async () => {
	const path = copy();
	const tensor = {dtype: 'F32', shape: [2], bytes: new Uint8Array(8)} as const;
	await rewriteWeights(path, same, {
		'pooler.dense.bias': tensor,
		'cls.predictions.bias': tensor,
		'encoder.layer.9.attention.weight': tensor,
	});
	const {warnings} = await load(path);
	expect(warnings).toEqual([
		expect.stringContaining('tensor "encoder.layer.9.attention.weight" is not known and not used'),
	]);
});

describe('a model is refused when', () => {
	const name = 'encoder.layer.1.output.dense.weight';
	const change = (how: (tensor: WeightTensor) => Partial<WeightTensor>) => (path: string) =>
		rewriteWeights(path, (each, tensor) => [
			each,
			each === name ? {...tensor, ...how(tensor)} : tensor,
		]);
	const weights = (path: string) => join(path, 'model.safetensors');
	const spoil = (how: (bytes: Buffer) => Uint8Array) => (path: string) =>
		writeFileSync(weights(path), how(readFileSync(weights(path))));
	const length = (bytes: Buffer, value: bigint) => {
		bytes.writeBigUInt64LE(value);
		return bytes;
	};

	test.each([
		[
			'a tensor is missing',
			(path: string) =>
				rewriteWeights(path, (each, tensor) => (each === name ? undefined : [each, tensor])),
			...([
				'MODEL_TENSOR',
				/expected tensor "encoder\.layer\.1\.output\.dense\.weight" \(64 × 100\), got none/,
			] as const),
		],
		[
			'a tensor has another shape',
			change(() => ({shape: [100, 64]})),
			...(['MODEL_TENSOR', /of shape \[64,100\], got \[100,64\]/] as const),
		],
		[
			'a tensor is flat',
			change(() => ({shape: [6400]})),
			...(['MODEL_TENSOR', /of shape \[64,100\], got \[6400\]/] as const),
		],
		[
			'a tensor holds whole numbers',
			change(() => ({dtype: 'I32'})),
			...(['MODEL_TENSOR', /of type F32, F16, BF16, F64, got I32/] as const),
		],
		[
			'the file is cut in half',
			(path: string) => truncateSync(weights(path), 250_000),
			...(['SAFETENSORS_INVALID', /model\.safetensors: expected/] as const),
		],
		[
			'the file is cut by a byte',
			(path: string) => truncateSync(weights(path), readFileSync(weights(path)).length - 1),
			...(['SAFETENSORS_INVALID', /expected/] as const),
		],
		[
			'the file is longer',
			spoil(bytes => Buffer.concat([bytes, bytes])),
			'SAFETENSORS_INVALID',
			/./,
		],
		['the file is empty', spoil(() => new Uint8Array()), 'SAFETENSORS_INVALID', /got 0/],
		[
			'the header claims more than there is',
			spoil(bytes => length(bytes, 1n << 62n)),
			...(['SAFETENSORS_INVALID', /a header of at most 100000000 bytes/] as const),
		],
		['the header is cut', spoil(bytes => length(bytes, 100n)), 'SAFETENSORS_INVALID', /./],
		[
			'the file is a text',
			spoil(() => Buffer.from('version https://git-lfs')),
			'SAFETENSORS_INVALID',
			/./,
		],
		[
			'there are no weights',
			(path: string) => renameSync(weights(path), join(path, 'tf_model.h5')),
			...(['MODEL_NOT_FOUND', /model\.safetensors: .* or in .*, pytorch_model\.bin/] as const),
		],
		[
			'another file has the name of one of torch',
			(path: string) => renameSync(weights(path), join(path, 'pytorch_model.bin')),
			...(['FILE_FORMAT', /pytorch_model\.bin: expected a file of torch\.save/] as const),
		],
	] as [string, (path: string) => Promise<void> | void, string, RegExp][])(
		'%s',
		async (_, spoilIt, code, message) => {
			const path = copy();
			await spoilIt(path);
			await expect(load(path)).rejects.toMatchObject({
				code,
				message: expect.stringMatching(message),
			});
		},
	);
});

test('loading rejects with the reason of its signal', async () => {
	const reason = new Error('not now');
	const aborted = EmbeddingModel.load(copy(), {signal: AbortSignal.abort(reason)});
	await expect(aborted).rejects.toBe(reason);
	const controller = new AbortController();
	const loading = EmbeddingModel.load(copy(), {signal: controller.signal});
	setImmediate(() => controller.abort(reason));
	await expect(loading).rejects.toBe(reason);
});
