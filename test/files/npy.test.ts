import {execFileSync, spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {NpyWriter, readNpy} from '../../dist/files/npy.js';
import {temporaryFolder} from './folder.js';

const {folder, put} = temporaryFolder();
const isNumpyHere = spawnSync('python3', ['-c', 'import numpy']).status === 0;

async function write(name: string, columns: number, parts: Float32Array[]): Promise<string> {
	const path = join(folder, name);
	const writer = await NpyWriter.open(path, columns);
	for (const part of parts) await writer.append(part);
	await writer.close();
	return path;
}

/** A file with this header text, as NumPy lays it out, and these values behind it. */
function file(dictionary: string, values: ArrayBufferView, version = 1): string {
	const text = Buffer.from(`${dictionary}\n`, 'latin1');
	const start = Buffer.alloc(version === 1 ? 10 : 12);
	start.write('\x93NUMPY', 'latin1');
	start.set([version, 0], 6);
	start.writeUInt16LE(text.length, 8);
	const data = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
	return put('made.npy', Buffer.concat([start, text, data]));
}

const header = (shape: string, descr = '<f4', order = 'False') =>
	`{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;

test('Appended rows are read back, with their count', async () => {
	const path = await write('rows.npy', 3, [
		Float32Array.of(1, 2, 3),
		new Float32Array(0),
		Float32Array.of(4, 5, 6, Number.NaN, -0, 1e-40).subarray(0, 6),
	]);
	const {data, shape} = await readNpy(path);
	expect(shape).toEqual([3, 3]);
	expect(data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, Number.NaN, -0, 1e-40));
});

test('A view into a larger array is written as the view', async () => {
	const view = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
	expect((await readNpy(await write('view.npy', 2, [view]))).data).toEqual(Float32Array.of(1, 2));
});

test('The header is that of NumPy 1.0 and the data begin at a multiple of 64', async () => {
	const bytes = readFileSync(await write('header.npy', 4, [new Float32Array(8)]));
	expect(bytes.toString('latin1', 0, 8)).toBe('\x93NUMPY\x01\x00');
	expect(bytes.length - 32).toBe(128);
	expect(bytes.toString('latin1', 10, 128)).toMatch(
		/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 4\), \} *\n$/,
	);
});

test.skipIf(!isNumpyHere)('NumPy reads what is written here (needs numpy)', async () => {
	const path = await write('numpy.npy', 2, [Float32Array.of(1, 2, 3, 4)]);
	const script = 'import numpy,sys; a=numpy.load(sys.argv[1]); print(a.dtype, a.tolist())';
	const out = execFileSync('python3', ['-c', script, path], {encoding: 'utf8'});
	expect(out.trim()).toBe('float32 [[1.0, 2.0], [3.0, 4.0]]');
});

test.each([
	['f4', Float32Array.of(1.5, -2)],
	['f8', Float64Array.of(0.1, -2)],
	['i4', Int32Array.of(7, -2)],
	['i8', BigInt64Array.of(7n, -2n)],
])('Values of %s are read in every version of the format', async (type, values) => {
	for (const version of [1, 2, 3]) {
		const {data, shape} = await readNpy(file(header('(2,)', `<${type}`), values, version));
		expect([data, shape]).toEqual([values, [2]]);
	}
});

test('The keys may stand in any order and a scalar has no shape', async () => {
	const path = file("{'shape': (), 'descr': '<f4', 'fortran_order': False}", Float32Array.of(3));
	expect(await readNpy(path)).toEqual({data: Float32Array.of(3), shape: []});
});

const two = Float32Array.of(1, 2);

test.each<[string, () => string]>([
	['other content', () => put('bad', 'not numpy at all')],
	['an empty file', () => put('bad', '')],
	['a cut magic', () => put('bad', Buffer.from('\x93NUM', 'latin1'))],
	['a version of 9', () => file(header('(2,)'), two, 9)],
	['Fortran order', () => file(header('(2,)', '<f4', 'True'), two)],
	['big endian', () => file(header('(2,)', '>f4'), two)],
	['objects', () => file(header('(2,)', '|O'), two)],
	['a type of the prototype', () => file(header('(2,)', 'toString'), two)],
	['more rows than data', () => file(header('(3,)'), two)],
	['fewer rows than data', () => file(header('(1,)'), two)],
	['a product beyond 2^53', () => file(header('(9007199254740991, 9007199254740991)'), two)],
	['a negative extent', () => file(header('(-2,)'), two)],
	['code in the shape', () => file(header('(__import__,)'), two)],
	['a key too many', () => file(`${header('(2,)').slice(0, -1)}'x': 1}`, two)],
	['a key missing', () => file("{'descr': '<f4', 'shape': (2,)}", two)],
	['text behind the header', () => file(`${header('(2,)')} + 1`, two)],
	[
		'a header longer than the file',
		() => put('bad', Buffer.from('\x93NUMPY\x01\x00\xff\xff{', 'latin1')),
	],
	[
		'a header of 4 GB',
		() => put('bad', Buffer.from('\x93NUMPY\x02\x00\xff\xff\xff\xff{', 'latin1')),
	],
])('%s is refused', async (_, make) => {
	await expect(readNpy(make())).rejects.toMatchObject({code: 'FILE_FORMAT'});
});

test('Half a row and a closed file are refused', async () => {
	const writer = await NpyWriter.open(join(folder, 'half.npy'), 2);
	await expect(writer.append(new Float32Array(3))).rejects.toMatchObject({code: 'FILE_WRITE'});
	await writer.dispose();
	await writer.close();
	await expect(writer.append(new Float32Array(2))).rejects.toMatchObject({code: 'FILE_WRITE'});
});

test('A folder that is not there is refused', async () => {
	const opening = NpyWriter.open(join(folder, 'no/such.npy'), 2);
	await expect(opening).rejects.toMatchObject({code: 'FILE_WRITE'});
});
