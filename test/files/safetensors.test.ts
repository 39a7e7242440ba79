import {createHash} from 'node:crypto';
import {existsSync, readFileSync, statSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {expect, test} from 'vitest';
import {
	readSafetensorsHeader,
	readTensor,
	type TensorSource,
	writeSafetensors,
} from '../../dist/files/safetensors.js';
import {temporaryFolder} from './folder.js';

const {folder, put} = temporaryFolder();
const shared = resolve(process.env.INBATCH_SHARED ?? '../shared');
const published = join(shared, 'models/all-MiniLM-L6-v2/model.safetensors');

/** A file of this header and this much data, as a liar would write it. */
function fake(header: unknown, data = 0, text = JSON.stringify(header)): string {
	const bytes = Buffer.from(text);
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(bytes.length));
	return put('fake.safetensors', Buffer.concat([length, bytes, Buffer.alloc(data)]));
}

const tensor = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32') => ({
	dtype,
	shape,
	data_offsets: [begin, end],
});

const source = (
	name: string,
	dtype: TensorSource['dtype'],
	values: ArrayBufferView,
	shape: number[],
) => ({
	name,
	dtype,
	shape,
	bytes: async () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});

test('What was written is read back, aligned, with its checksum', async () => {
	const path = join(folder, 'round.safetensors');
	const weights = Float32Array.from({length: 300_000}, (_, n) => n / 7);
	const sha256 = await writeSafetensors(path, [
		source('flags', 'U8', Uint8Array.of(1, 2, 3), [3]),
		source('weights', 'F32', weights, [300, 1000]),
		source('__proto__', 'I64', BigInt64Array.of(-5n), []),
		source('nothing', 'F32', new Float32Array(0), [0, 4]),
	]);
	expect(sha256).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'));

	const {metadata, tensors} = await readSafetensorsHeader(path);
	expect(metadata).toEqual({format: 'pt'});
	expect([...tensors.keys()].sort()).toEqual(['__proto__', 'flags', 'nothing', 'weights']);
	const entry = tensors.get('weights')!;
	expect([entry.dtype, entry.shape, entry.begin % 8]).toEqual(['F32', [300, 1000], 0]);
	const back = await readTensor(path, entry);
	expect(new Float32Array(back.buffer)).toEqual(weights);
	const integer = await readTensor(path, tensors.get('__proto__')!);
	expect(new BigInt64Array(integer.buffer)).toEqual(BigInt64Array.of(-5n));
	expect(tensors.get('flags')!.end).toBe(statSync(path).size);
});

test('A file without metadata, without tensors or with zero-size tensors is fine', async () => {
	const bare = await readSafetensorsHeader(fake({a: tensor(0, 8)}, 8));
	expect([bare.metadata, bare.tensors.size]).toEqual([{}, 1]);
	expect((await readSafetensorsHeader(fake({}))).tensors.size).toBe(0);
	const zero = {a: tensor(0, 8), b: tensor(8, 8, [0, 2 ** 40]), c: tensor(8, 12, [])};
	expect((await readSafetensorsHeader(fake(zero, 12))).tensors.size).toBe(3);
	const padded = `${JSON.stringify({a: tensor(0, 4)})}     `;
	expect((await readSafetensorsHeader(fake(null, 4, padded))).tensors.size).toBe(1);
});

const twice = `{"a":${JSON.stringify(tensor(0, 4))},"\\u0061":${JSON.stringify(tensor(0, 4))}}`;

test.each<[string, () => string]>([
	['a header twice the same key', () => fake(null, 4, twice)],
	['a key of an entry twice', () => fake(null, 4, '{"a":{"dtype":"F32","dtype":"F32"}}')],
	['no JSON', () => fake(null, 0, '{"a":')],
	['an array', () => fake([])],
	['white space before the header', () => fake(null, 0, ' {}')],
	['a null entry', () => fake({a: null})],
	['an unknown dtype', () => fake({a: tensor(0, 4, [1], 'F31')}, 4)],
	['a dtype of the prototype', () => fake({a: tensor(0, 4, [1], 'toString')}, 4)],
	['a negative extent', () => fake({a: tensor(0, 4, [-1])}, 4)],
	['a fractional extent', () => fake({a: tensor(0, 4, [0.5, 2])}, 4)],
	['an extent of text', () => fake({a: {...tensor(0, 4), shape: ['1']}}, 4)],
	['a product beyond 2^53', () => fake({a: tensor(0, 4, [2 ** 40, 2 ** 40])}, 4)],
	['a product that overflows to zero', () => fake({a: tensor(0, 0, [2 ** 52, 2 ** 52, 0])})],
	[
		'an extent beyond 2^53',
		() => fake(null, 4, '{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}'),
	],
	['offsets the wrong way round', () => fake({a: tensor(4, 0, [1])}, 4)],
	['negative offsets', () => fake({a: tensor(-4, 0, [1])}, 4)],
	['three offsets', () => fake({a: {...tensor(0, 4), data_offsets: [0, 4, 8]}}, 8)],
	['offsets beyond the file', () => fake({a: tensor(0, 8)}, 4)],
	['offsets far beyond the file', () => fake({a: tensor(2 ** 52, 2 ** 52 + 4)}, 4)],
	['a size that is not product times width', () => fake({a: tensor(0, 8, [1])}, 8)],
	['half a byte', () => fake({a: tensor(0, 1, [1], 'F4')}, 1)],
	['an overlap', () => fake({a: tensor(0, 8), b: tensor(4, 12)}, 12)],
	['a hole', () => fake({a: tensor(0, 4), b: tensor(8, 12)}, 12)],
	['a hole at the begin', () => fake({a: tensor(4, 8)}, 8)],
	['bytes behind the last tensor', () => fake({a: tensor(0, 4)}, 5)],
	['metadata that are no strings', () => fake({__metadata__: {a: 1}})],
	['metadata that are no object', () => fake({__metadata__: 'pt'})],
	['an empty file', () => put('fake', '')],
	['seven bytes', () => put('fake', '1234567')],
	['a header longer than the file', () => put('fake', Buffer.from([9, 0, 0, 0, 0, 0, 0, 0, 1]))],
	['a header length of 2^62', () => put('fake', Buffer.from([0, 0, 0, 0, 0, 0, 0, 64, 1]))],
	[
		'a header that is not UTF-8',
		() => put('fake', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 123, 255])),
	],
])('%s is refused', async (_, make) => {
	const path = make();
	await expect(readSafetensorsHeader(path)).rejects.toMatchObject({
		code: 'SAFETENSORS_INVALID',
		message: expect.stringMatching(new RegExp(`^${path}: (tensor "a": )?expected `)),
	});
});

test('A header length beyond the whole numbers of the language is shown as it is', async () => {
	const path = put('fake', Buffer.alloc(9, 0xff));
	await expect(readSafetensorsHeader(path)).rejects.toThrow('got 18446744073709551615; it is no');
});

test('A header of brackets without end neither crashes nor passes', async () => {
	const text = `{"a":${'['.repeat(1_000_000)}`;
	const refusal = readSafetensorsHeader(fake(null, 0, text));
	await expect(refusal).rejects.toMatchObject({code: 'SAFETENSORS_INVALID'});
});

test('A file cut after the header was read is noticed', async () => {
	const whole = fake({a: tensor(0, 8)}, 8);
	const {tensors} = await readSafetensorsHeader(whole);
	const cut = put('cut', readFileSync(whole).subarray(0, -3));
	const refusal = readTensor(cut, tensors.get('a')!);
	await expect(refusal).rejects.toMatchObject({code: 'SAFETENSORS_INVALID'});
});

test('The writer refuses a name twice and bytes that do not fit the shape', async () => {
	const path = join(folder, 'refused');
	const one = source('a', 'F32', Float32Array.of(1), [1]);
	await expect(writeSafetensors(path, [one, one])).rejects.toMatchObject({code: 'FILE_WRITE'});
	const short = writeSafetensors(path, [{...one, shape: [2]}]);
	await expect(short).rejects.toThrow(/expected 8 bytes of tensor "a", got 4/);
	const nowhere = writeSafetensors(join(folder, 'no/such'), [one]);
	await expect(nowhere).rejects.toMatchObject({code: 'FILE_WRITE'});
});

test('A missing file has its code', async () => {
	const missing = readSafetensorsHeader(join(folder, 'nothing'));
	await expect(missing).rejects.toMatchObject({code: 'FILE_NOT_FOUND'});
});

test.skipIf(!existsSync(published))(
	'The published model has 103 tensors, 384 wide (needs the shared model folder)',
	async () => {
		const {tensors, metadata} = await readSafetensorsHeader(published);
		const words = tensors.get('embeddings.word_embeddings.weight')!;
		expect([words.dtype, words.shape, metadata.format]).toEqual(['F32', [30522, 384], 'pt']);
		expect(words.end - words.begin).toBe(30522 * 384 * 4);
	},
);
