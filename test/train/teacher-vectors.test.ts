// A teacher's vectors on disk: both layouts, any order of rows, and files that do not fit.

import {describe, expect, onTestFinished, test} from 'vitest';
import {distillVectors} from '../../dist/loss/distill-vectors.js';
import {mse} from '../../dist/loss/mse.js';
import {TeacherVectors} from '../../dist/train/teacher-vectors.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {loadTiny, quick} from './tiny.js';

const {put} = temporaryFolder();
const numbers = Float32Array.from({length: 12}, (_, n) => n / 4);
const bytes = Buffer.from(numbers.buffer);

function npy(shape: string, descr = '<f4', data = bytes): Buffer {
	const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
	const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text.padEnd(117)}\n`, 'latin1');
	head.writeUInt16LE(118, 8);
	return Buffer.concat([head, data]);
}

async function opened(path: string, options: {records: number; width?: number}) {
	const vectors = await TeacherVectors.open(path, options);
	onTestFinished(() => vectors.close());
	return vectors;
}

describe.each([
	['NumPy', put('a.npy', npy('4, 3'))],
	['raw float32', put('a.f32', bytes)],
])('%s', (_, path) => {
	test('gives rows in any order', async () => {
		const vectors = await opened(path, {records: 4});
		expect(vectors.width).toBe(3);
		const read = await vectors.read([3, 0, 3]);
		expect([...read]).toEqual([2.25, 2.5, 2.75, 0, 0.25, 0.5, 2.25, 2.5, 2.75]);
	});

	test('may have more rows than the data', async () => {
		const vectors = await opened(path, {records: 2, width: 3});
		expect([...(await vectors.read([1]))]).toEqual([0.75, 1, 1.25]);
		await expect(vectors.read([4])).rejects.toThrow('expected row 4 of a record, got 4 rows');
	});
});

describe('refused', () => {
	const wild = Buffer.from(Float32Array.of(1, Number.NaN).buffer);

	test.each([
		['too few rows', npy('4, 3'), {records: 5}, 'a vector for each of 5 records, got 4'],
		['a list', npy('12'), {records: 4}, 'a matrix of <f4'],
		['whole numbers', npy('4, 3', '<i4'), {records: 4}, 'a matrix of <f4, got <i4'],
		['another width', npy('4, 3'), {records: 4, width: 6}, 'vectors of 6 columns, got 3'],
		['half a row', bytes, {records: 5}, 'as many float32 numbers for each record, got 48 bytes'],
		['nothing', Buffer.alloc(0), {records: 5}, 'got 0 bytes'],
		['cut', npy('4, 3').subarray(0, 150), {records: 4}, 'bytes of data for shape'],
	])('%s', async (name, content, options, message) => {
		const path = put(name, content);
		await expect(TeacherVectors.open(path, options)).rejects.toMatchObject({
			code: 'FILE_FORMAT',
			message: expect.stringContaining(message),
		});
	});

	test('numbers that are not finite', async () => {
		const vectors = await opened(put('wild', wild), {records: 2});
		await expect(vectors.read([0, 1])).rejects.toThrow('row 1 of finite numbers');
	});

	test('a loss without its vectors, and vectors without a loss', async () => {
		const data = [{text: 'a'}, {text: 'b'}];
		const alone = train(await loadTiny(), {...quick, data, loss: distillVectors()});
		await expect(alone).rejects.toMatchObject({code: 'OPTION_MISSING'});
		const pairs = [{query: 'a', pos: 'b', score: 1}];
		const asked = {...quick, data: pairs, teacherVectors: put('b.f32', bytes)};
		const other = train(await loadTiny(), {...asked, loss: mse()});
		await expect(other).rejects.toThrow('got mse');
	});
});
