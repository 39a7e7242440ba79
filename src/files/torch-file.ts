// Files of torch.save (pytorch_model.bin), of which nothing is executed: the zip archive written since
// 1.6 and what was written before, pickles and then the storages.

import type {FileHandle} from 'node:fs/promises';
import {readInto, withFile} from './open.js';
import {refusePickle} from './pickle.js';
import {type TensorEntry, type TensorTable, tensorBytes} from './safetensors-header.js';
import {readPlainPickle, readTensorPickle, type Storage, type StorageView} from './torch-pickle.js';
import {readZip, type ZipMember} from './zip.js';

/** No table of tensors takes more. */
const longestPickle = 2 ** 24;

/** First bytes: of an archive; a pickle of protocol 2 with the number that older files begin with. */
const zipBegin = 'PK\x03\x04';
const oldBegin = '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.';

/** A file of `size` bytes. */
export interface OpenFile {
	handle: Pick<FileHandle, 'read'>;
	size: number;
	path: string;
}

/** Where each tensor of the file lies. */
export async function readTorchFile(path: string): Promise<TensorTable> {
	return withFile(path, async handle => {
		const {size} = await handle.stat();
		return readTorchTensors({handle, size, path});
	});
}

/** Where each tensor of an open file lies. */
export async function readTorchTensors(file: OpenFile): Promise<TensorTable> {
	const {size, path} = file;
	const begin = (await readRange(file, 0, Math.min(size, oldBegin.length))).toString('latin1');
	if (begin.startsWith(zipBegin)) return readArchive(file);
	if (begin === oldBegin) return readOld(file);
	const isPointer = begin.startsWith('version https:');
	const got = isPointer ? 'a pointer of Git LFS; fetch the file itself' : 'another file';
	return refusePickle(path, 'a file of torch.save', got);
}

async function readRange({handle, path}: OpenFile, begin: number, end: number): Promise<Buffer> {
	const bytes = Buffer.alloc(end - begin);
	const filled = await readInto(handle, bytes, begin);
	if (filled < bytes.length) refusePickle(path, `${bytes.length} bytes at ${begin}`, `${filled}`);
	return bytes;
}

/** `<any>/data.pkl` with the tensors, `<any>/data/<key>` with the values of each storage. */
async function readArchive(file: OpenFile): Promise<TensorTable> {
	const {path} = file;
	const members = await readZip(file.handle, file.size, path);
	const table = [...members.values()].find(({name}) => /^[^/]+\/data\.pkl$/.test(name));
	if (!table) return refusePickle(path, 'an archive with a data.pkl', 'none');
	const root = table.name.slice(0, -'data.pkl'.length);
	await checkByteOrder(file, members.get(`${root}byteorder`));
	const pickle = await readMember(file, table);
	const {views} = await readTensorPickle(pickle, {path: `${path}: ${table.name}`});
	return tableOf(path, views, ({key, dtype, count}) => {
		const name = `${root}data/${key}`;
		const member = members.get(name);
		if (!member) return refusePickle(path, `member "${name}"`, 'none');
		const bytes = tensorBytes(dtype, [count]);
		if (member.end - member.begin === bytes) return member.begin;
		return refusePickle(path, `${bytes} bytes in "${name}"`, `${member.end - member.begin}`);
	});
}

async function readMember(file: OpenFile, {name, begin, end}: ZipMember): Promise<Buffer> {
	if (end - begin <= longestPickle) return readRange(file, begin, end);
	return refusePickle(file.path, `"${name}" of at most ${longestPickle} bytes`, `${end - begin}`);
}

async function checkByteOrder(file: OpenFile, member: ZipMember | undefined): Promise<void> {
	const order = member === undefined ? 'little' : (await readMember(file, member)).toString();
	if (order === 'little') return;
	refusePickle(file.path, 'the byte order "little"', JSON.stringify(order.slice(0, 20)));
}

/**
Pickles of a number, a version, facts of the machine, the tensors and the keys of the storages in
their order; then each storage, its number of values before it.
*/
async function readOld(file: OpenFile): Promise<TensorTable> {
	const {path, size} = file;
	const bytes = await readRange(file, 0, Math.min(size, longestPickle));
	const version = await readPlainPickle(bytes, {path, begin: oldBegin.length});
	if (version.value !== 1001) refusePickle(path, 'version 1001', 'another');
	const machine = await readPlainPickle(bytes, {path, begin: version.end});
	const isLittle = machine.value instanceof Map && machine.value.get('little_endian') === true;
	if (!isLittle) refusePickle(path, 'values in little-endian order', 'another order');
	const {views, end} = await readTensorPickle(bytes, {path, begin: machine.end});
	const keys = await readPlainPickle(bytes, {path, begin: end});
	const begins = await placesOf(file, storagesOf(views, keys.value, path), keys.end);
	return tableOf(path, views, ({key}) => begins.get(key)!);
}

/** The storages in the order of their keys. */
function storagesOf(views: readonly StorageView[], keys: unknown, path: string): Storage[] {
	const known = new Map<unknown, Storage>();
	for (const {name, storage} of views) {
		const {key, dtype, count} = storage;
		const {dtype: type, count: size} = known.get(key) ?? storage;
		if (type !== dtype || size !== count) {
			refusePickle(path, `"${name}" to be ${size} values of ${type}`, `${count} of ${dtype}`);
		}

		known.set(key, storage);
	}

	const listed = Array.isArray(keys) ? (keys as unknown[]).map(key => known.get(key)) : [];
	const storages = listed.filter(storage => storage !== undefined);
	const isEach = new Set(storages).size === known.size && listed.length === known.size;
	if (isEach) return storages;
	return refusePickle(path, `the keys of ${known.size} storages`, `${listed.length} keys`);
}

async function placesOf(
	file: OpenFile,
	storages: readonly Storage[],
	begin: number,
): Promise<Map<string, number>> {
	const {path, size} = file;
	const places = new Map<string, number>();
	let at = begin;
	for (const {key, dtype, count} of storages) {
		const bytes = tensorBytes(dtype, [count]);
		if (bytes === undefined || at + 8 + bytes > size) {
			return refusePickle(
				path,
				`a storage of ${count} values at byte ${at}`,
				`${size} bytes in all`,
			);
		}

		const found = (await readRange(file, at, at + 8)).readBigInt64LE();
		if (found !== BigInt(count)) refusePickle(path, `${count} values at byte ${at}`, `${found}`);
		places.set(key, at + 8);
		at += 8 + bytes;
	}

	return places;
}

function tableOf(
	path: string,
	views: readonly StorageView[],
	beginOf: (storage: Storage) => number,
): TensorTable {
	const tensors = new Map<string, TensorEntry>();
	for (const {name, storage, at, shape} of views) {
		const {dtype} = storage;
		const begin = beginOf(storage) + tensorBytes(dtype, [at])!;
		const end = begin + tensorBytes(dtype, shape)!;
		tensors.set(name, {name, path, dtype, shape, begin, end});
	}

	return {path, metadata: {}, tensors};
}
