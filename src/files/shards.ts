// Weights cut over several files, and the index that says which tensor lies in which of them. What an
// index names lies in its own folder.

import {readFile, stat, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {EngineError, kindOf} from '../errors.js';
import {expectNoPipe} from '../pipes.js';
import {readFailure} from './failures.js';
import {type TensorSource, type TensorTable, writeSafetensors} from './safetensors.js';
import {type TensorEntry, tensorBytes} from './safetensors-header.js';
import {parseStrictJson} from './strict-json.js';

const longestIndex = 2 ** 26;

/** Bytes of tensors in one file of several. */
const defaultMost = 5e9;

/** Reads the index and the tables of all its shards, each by `readShard`, as one table. */
export async function readShards(
	path: string,
	readShard: (path: string) => Promise<TensorTable>,
): Promise<TensorTable> {
	const shardOf = parseIndex(await readIndexText(path), path);
	const tensors = new Map<string, TensorEntry>();
	let metadata: Record<string, string> = {};
	for (const shard of new Set(shardOf.values())) {
		const table = await readShard(join(dirname(path), shard)).catch(error => {
			throw missingShard(path, shard, error);
		});
		metadata = {...metadata, ...table.metadata};
		for (const entry of table.tensors.values()) {
			const other = tensors.get(entry.name);
			if (other) refuse(path, `tensor "${entry.name}" once`, `it in ${other.path} and in ${shard}`);
			tensors.set(entry.name, entry);
		}
	}

	for (const [name, shard] of shardOf) {
		const found = tensors.get(name)?.path;
		if (found === join(dirname(path), shard)) continue;
		refuse(path, `tensor "${name}" in ${shard}`, found === undefined ? 'none' : `it in ${found}`);
	}

	return {path, metadata, tensors};
}

function refuse(path: string, expected: string, got: string): never {
	throw new EngineError('MODEL_TENSOR', `${path}: expected ${expected}, got ${got}`);
}

function missingShard(path: string, shard: string, error: unknown): unknown {
	if (!(error instanceof EngineError) || error.code !== 'FILE_NOT_FOUND') return error;
	const message = `${path}: expected the shard ${shard} beside it, got no such file; download it too`;
	return new EngineError('MODEL_TENSOR', message, {cause: error});
}

async function readIndexText(path: string): Promise<string> {
	await expectNoPipe(path);
	try {
		const {size} = await stat(path);
		if (size <= longestIndex) return await readFile(path, 'utf8');
		return refuse(path, `an index of at most ${longestIndex} bytes`, `${size}`);
	} catch (error) {
		throw readFailure(path, error);
	}
}

/** The shard of each tensor, by the text of an index. */
export function parseIndex(text: string, path: string): Map<string, string> {
	const map = weightMap(text, path);
	const shardOf = new Map<string, string>();
	for (const [name, shard] of Object.entries(map)) {
		if (typeof shard !== 'string') refuse(path, `a file for tensor "${name}"`, kindOf(shard));
		const isInside = shard.split(/[\\/]/).every(part => !['', '.', '..'].includes(part));
		if (!isInside || shard.includes('\0')) {
			refuse(path, `a file inside the folder for tensor "${name}"`, JSON.stringify(shard));
		}

		shardOf.set(name, shard);
	}

	return shardOf;
}

function weightMap(text: string, path: string): object {
	let index: unknown;
	try {
		index = parseStrictJson(text);
	} catch (error) {
		const reason = error instanceof Error ? error.message.slice(0, 120) : '';
		refuse(path, 'an index of JSON', `other text (${reason})`);
	}

	const map = isObject(index) ? index.weight_map : undefined;
	if (isObject(map) && Object.keys(map).length > 0) return map;
	return refuse(path, 'an index with a "weight_map" from tensors to files', kindOf(map));
}

function isObject(value: unknown): value is {readonly weight_map?: unknown} {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface ShardOptions {
	metadata?: Record<string, string> | undefined;
	/** Bytes of tensors in one file; a larger tensor has one of its own. */
	most?: number | undefined;
}

/**
Writes tensors as `model.safetensors`, or as shards and their index when one file would be larger
than `most`. Returns the SHA-256 of each weight file by its name.
*/
export async function writeShards(
	folder: string,
	entries: readonly TensorSource[],
	{metadata, most = defaultMost}: ShardOptions = {},
): Promise<Map<string, string>> {
	const shards = cut(entries, most);
	const names = shards.map((_, n) => shardName(n + 1, shards.length));
	const hashes = new Map<string, string>();
	for (const [n, shard] of shards.entries()) {
		const name = names[n]!;
		hashes.set(name, await writeSafetensors(join(folder, name), shard, metadata));
	}

	if (shards.length > 1) {
		const weights = shards.flatMap((shard, n) => shard.map(({name}) => [name, names[n]] as const));
		const index = {
			metadata: {total_size: entries.reduce((sum, entry) => sum + sizeOf(entry), 0)},
			weight_map: Object.fromEntries(weights),
		};
		const text = `${JSON.stringify(index, null, 2)}\n`;
		await writeFile(join(folder, 'model.safetensors.index.json'), text);
	}

	return hashes;
}

function sizeOf({dtype, shape}: TensorSource): number {
	return tensorBytes(dtype, shape) ?? 0;
}

/** Tensors in their order, as many in one piece as it takes. */
function cut(entries: readonly TensorSource[], most: number): TensorSource[][] {
	const pieces: TensorSource[][] = [[]];
	let bytes = 0;
	for (const entry of entries) {
		const size = sizeOf(entry);
		if (bytes > 0 && bytes + size > most) {
			pieces.push([]);
			bytes = 0;
		}

		pieces.at(-1)!.push(entry);
		bytes += size;
	}

	return pieces;
}

function shardName(number: number, count: number): string {
	const digits = (value: number) => String(value).padStart(5, '0');
	if (count === 1) return 'model.safetensors';
	return `model-${digits(number)}-of-${digits(count)}.safetensors`;
}
