// The weights in a folder, whatever they are kept in: safetensors or a file of torch.save, whole or in
// shards. What comes out is one table of where each tensor lies.

import {access} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {readSafetensorsHeader, type TensorTable} from './safetensors.js';
import {readShards} from './shards.js';
import {readTorchFile} from './torch-file.js';

/** By preference: where several are there they hold the same weights. */
const kinds: readonly (readonly [name: string, read: (path: string) => Promise<TensorTable>])[] = [
	['model.safetensors', readSafetensorsHeader],
	['model.safetensors.index.json', path => readShards(path, readShard)],
	['pytorch_model.bin', readTorchFile],
	['pytorch_model.bin.index.json', path => readShards(path, readShard)],
];

/** The tensors in a folder; rejects with `MODEL_NOT_FOUND` when it has no weights. */
export async function readTensorTable(folder: string): Promise<TensorTable> {
	for (const [name, read] of kinds) {
		const path = join(folder, name);
		if (await isThere(path)) return read(path);
	}

	const [[first], ...others] = kinds as [(typeof kinds)[0], ...typeof kinds];
	const rest = others.map(([name]) => name).join(', ');
	throw new EngineError(
		'MODEL_NOT_FOUND',
		`${join(folder, first)}: expected the weights of the model there or in ${rest}, got no such file`,
	);
}

/** A file is read as what its name says it is. */
function readShard(path: string): Promise<TensorTable> {
	return path.endsWith('.safetensors') ? readSafetensorsHeader(path) : readTorchFile(path);
}

async function isThere(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}
