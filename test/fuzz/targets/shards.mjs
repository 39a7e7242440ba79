// The index of weights in several files: each of them lies inside the folder.

import {join} from 'node:path';
import {parseIndex} from '../../../dist/files/shards.js';
import {hold, place, refusing} from '../property.mjs';

const codes = ['MODEL_TENSOR'];

export function run(bytes) {
	const shards = refusing(codes, () => parseIndex(bytes.toString('utf8'), place));
	for (const shard of shards?.values() ?? []) {
		hold(join('/a/b', shard).startsWith('/a/b/'), 'a shard lies inside the folder');
		hold(!/[\0\\]/.test(shard) || !shard.includes('..'), 'a shard is a plain path');
	}
}

export const json = {text: bytes => bytes.toString('utf8'), bytes: text => Buffer.from(text)};

export const words = ['weight_map', '..', '../', '/', '\\\\', '\\u0000', '.safetensors', '.bin'];

export const seeds = [
	'{"metadata":{"total_size":8},"weight_map":{"a":"x-1.safetensors","b":"x-2.safetensors"}}',
	'{"weight_map":{"a":"parts/x.bin"}}',
	'{"weight_map":{"a":"../x.bin","a":7}}',
];
