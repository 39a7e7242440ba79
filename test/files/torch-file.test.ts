// Files of torch.save, real ones and made ones: tensors as safetensors have them, and nothing run.

import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {readSafetensorsHeader, readTensor, type TensorTable} from '../../dist/files/safetensors.js';
import {readTorchFile} from '../../dist/files/torch-file.js';
import {temporaryFolder} from './folder.js';
import {
	type Member,
	oldFile,
	op,
	pickle,
	pickledTable,
	pickledTensor,
	torchMembers,
	zipOf,
} from './torch-bytes.js';

const {folder} = temporaryFolder();
const weights = join(import.meta.dirname, '../fixtures/weights');
let made = 0;

function fileOf(bytes: Uint8Array): string {
	const path = join(folder, `${made++}.bin`);
	writeFileSync(path, bytes);
	return path;
}

async function contents({tensors}: TensorTable) {
	const names = [...tensors.keys()].sort();
	return Promise.all(
		names.map(async name => {
			const entry = tensors.get(name)!;
			return [name, entry.dtype, entry.shape, Buffer.from(await readTensor(entry.path, entry))];
		}),
	);
}

describe('tensors of every type are read as safetensors have them', () => {
	test.each(['tensors-zip.bin', 'tensors-before-1.6.bin'])('from %s', async name => {
		const expected = await readSafetensorsHeader(join(weights, 'tensors.safetensors'));
		const path = join(weights, name);
		const table = await readTorchFile(path);
		expect(await contents(table)).toEqual(await contents(expected));
		expect([table.path, table.metadata, table.tensors.size]).toEqual([path, {}, 16]);
	});

	test('and tensors that share a storage share its bytes', async () => {
		const {tensors} = await readTorchFile(join(weights, 'tensors-zip.bin'));
		const [whole, tied, row] = ['f32', 'tied', 'row'].map(name => tensors.get(name)!);
		expect([tied!.begin, tied!.end]).toEqual([whole!.begin, whole!.end]);
		expect(row!.begin).toBe(whole!.begin + 4 * (20 + 10));
	});
});

describe('a file that would run a command is refused by its name, and runs nothing:', () => {
	const trace = '/tmp/inbatch-evil';
	test.each(['evil-zip.bin', 'evil-zip-4.bin', 'evil-before-1.6.bin'])('%s', async name => {
		rmSync(trace, {force: true});
		const reading = readTorchFile(join(weights, name));
		await expect(reading).rejects.toMatchObject({
			code: 'FILE_FORMAT',
			message: expect.stringContaining('got "posix.system", which is not allowed: nothing'),
		});
		expect(existsSync(trace)).toBe(false);
	});
});

const good = pickledTable(pickledTensor());
const archive = (members: readonly Member[]) => zipOf(members);

test('files made here are read', async () => {
	const values = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
	for (const bytes of [archive(torchMembers(good, values)), oldFile({values})]) {
		const table = await readTorchFile(fileOf(bytes));
		expect(await contents(table)).toEqual([['weight', 'F32', [2, 3], values]]);
	}
});

describe('a file of torch is refused when', () => {
	const tensor = (change: Parameters<typeof pickledTensor>[0]) =>
		archive(torchMembers(pickledTable(pickledTensor(change))));
	const table = (...parts: readonly Uint8Array[]) => archive(torchMembers(pickle(...parts)));
	const without = (name: string) =>
		archive(torchMembers(good).filter(member => member.name !== `archive/${name}`));
	const old = readFileSync(join(weights, 'tensors-before-1.6.bin'));

	const storage = [op.text('storage'), op.global('torch', 'FloatStorage'), op.text('0')];
	const ids = [op.mark, ...storage, op.text('cpu'), op.int(6)];
	test.each([
		['it is empty', Buffer.alloc(0), /a file of torch\.save, got another file/],
		['it is a text', Buffer.from('hello, world, how are you'), /got another file/],
		[
			'it is a pointer of Git LFS',
			Buffer.from('version https://git-lfs.github.com/spec/v1\noid'),
			/got a pointer of Git LFS; fetch the file itself/,
		],
		[
			'it is an archive that is cut',
			archive(torchMembers(good)).subarray(0, -9),
			/the file is cut/,
		],
		['it is another archive', archive([{name: 'a', data: good}]), /a data\.pkl, got none/],
		['a storage is missing', without('data/0'), /member "archive\/data\/0", got none/],
		[
			'its values are of the other order',
			archive([
				...torchMembers(good).filter(({name}) => name !== 'archive/byteorder'),
				{name: 'archive/byteorder', data: Buffer.from('big')},
			]),
			/byte order "little", got "big"/,
		],
		[
			'a storage is shorter than said',
			archive(torchMembers(good, new Uint8Array(20))),
			/24 bytes in "archive\/data\/0", got 20/,
		],
		[
			'a storage is longer than said',
			archive(torchMembers(good, new Uint8Array(28))),
			/24 bytes in "archive\/data\/0", got 28/,
		],
		[
			'a tensor begins behind its storage',
			tensor({at: 1}),
			/"weight": expected a part of a storage of 6 values, got \[2,3\] from 1/,
		],
		[
			'a tensor is larger than its storage',
			tensor({shape: [3, 3]}),
			/a part of a storage of 6 values/,
		],
		[
			'a tensor has more values than can be counted',
			tensor({shape: [2 ** 30, 2 ** 30, 2 ** 30], strides: [2 ** 60, 2 ** 30, 1]}),
			/expected/,
		],
		[
			'a tensor has a negative extent',
			tensor({shape: [-2, -3]}),
			/a storage, a place in it and a shape/,
		],
		[
			'a tensor begins before its storage',
			tensor({at: -1}),
			/a storage, a place in it and a shape/,
		],
		[
			'a tensor is turned over',
			tensor({shape: [3, 2], strides: [1, 3]}),
			/in the order of the shape, got a view; save it with \.contiguous\(\)/,
		],
		[
			'a tensor repeats its values',
			tensor({shape: [6, 6], strides: [0, 1]}),
			/in the order of the shape/,
		],
		['a tensor has too few strides', tensor({strides: [1]}), /in the order of the shape/],
		[
			'a storage is of no type that is known',
			tensor({type: 'QInt8Storage'}),
			/"torch\.QInt8Storage", which is not allowed/,
		],
		[
			'a storage is none',
			table(op.emptyDict, op.text('w'), ...ids.slice(1), op.tuple2, op.tuple1, op.setItem),
			/expected/,
		],
		[
			'a storage is an allowed name',
			table(op.emptyDict, op.text('w'), op.global('torch', 'Size'), op.persistent, op.setItem),
			/a storage of a known type, got an object/,
		],
		[
			'a storage is a part of another',
			table(op.emptyDict, op.text('w'), ...ids, op.emptyList, op.tuple, op.persistent, op.setItem),
			/whole storages, got a part of another/,
		],
		['there is no table in it', table(op.none), /a dict of tensors by name, got null/],
		[
			'a tensor has no name',
			table(op.emptyDict, op.int(1), op.none, op.setItem),
			/a name of a number/,
		],
		[
			'a value is no tensor',
			table(op.emptyDict, op.text('epoch'), op.int(1), op.setItem),
			/"epoch": expected a tensor, got a number/,
		],
		[
			'a tensor is made of nothing',
			table(
				op.emptyDict,
				op.text('w'),
				op.global('torch._utils', '_rebuild_tensor_v2'),
				op.emptyTuple,
				op.reduce,
				op.setItem,
			),
			/a storage, a place in it and a shape/,
		],
		['its old pickles are cut', old.subarray(0, 200), /a whole pickle, got one that is cut/],
		['its old storages are cut', old.subarray(0, -1), /a storage of \d+ values at byte/],
		[
			'an old storage is shorter',
			oldFile({values: new Uint8Array(20)}),
			/a storage of 6 values at/,
		],
		['an old storage says another length', oldFile({count: 5}), /6 values at byte \d+, got 5/],
		[
			'an old storage says a length below zero',
			oldFile({count: -6}),
			/6 values at byte \d+, got -6/,
		],
		['the keys of its old storages are others', oldFile({keys: ['1']}), /the keys of 1 storages/],
		['a key is given twice', oldFile({keys: ['0', '0']}), /the keys of 1 storages, got 2/],
		['a key is missing', oldFile({keys: []}), /the keys of 1 storages, got 0/],
		['its old version is another', oldFile({version: 1002}), /version 1001, got another/],
		['its old values are of the other order', oldFile({isLittle: false}), /little-endian order/],
	] as const)('%s', async (_, bytes, message) => {
		await expect(readTorchFile(fileOf(bytes))).rejects.toMatchObject({
			code: 'FILE_FORMAT',
			message: expect.stringMatching(message),
		});
	});

	test.each([
		['transposed.bin', /"weight": .* got a view; save it with \.contiguous\(\)/],
		['checkpoint.bin', /"epoch": expected a tensor, got a number/],
		['u16.bin', /"torch\._utils\._rebuild_tensor_v3", which is not allowed/],
	])('it is %s', async (name, message) => {
		await expect(readTorchFile(join(weights, name))).rejects.toThrow(message);
	});

	test('its pickle is larger than any table', async () => {
		const bytes = archive(torchMembers(new Uint8Array(2 ** 24 + 1)));
		await expect(readTorchFile(fileOf(bytes))).rejects.toThrow(/data\.pkl" of at most 16777216/);
	});

	test('it is not there', async () => {
		const path = join(folder, 'absent.bin');
		await expect(readTorchFile(path)).rejects.toMatchObject({code: 'FILE_NOT_FOUND'});
	});
});
