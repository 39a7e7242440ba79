// A file of torch.save: an archive with a pickle, or the pickles and storages of before 1.6. Nothing of it
// is ever run; tensors lie within the file.

import {readFileSync} from 'node:fs';
import {tensorBytes} from '../../../dist/files/safetensors-header.js';
import {readTorchTensors} from '../../../dist/files/torch-file.js';
import {memoryFile} from '../memory-file.mjs';
import {expectRefusal, hold, place} from '../property.mjs';

const codes = ['FILE_FORMAT'];

export async function run(bytes) {
	let table;
	try {
		const file = {handle: memoryFile(bytes), size: bytes.length, path: place};
		table = await readTorchTensors(file);
	} catch (error) {
		return expectRefusal(error, codes);
	}
	for (const {name, begin, end, dtype, shape} of table.tensors.values()) {
		hold(begin >= 0 && end <= bytes.length, 'tensors lie within the file');
		hold(end - begin === tensorBytes(dtype, shape), 'shape times width is the number of bytes');
		hold(typeof name === 'string' && shape.every(Number.isSafeInteger), 'names are texts');
	}
}

export const words = [
	'PK\x01\x02',
	'PK\x05\x06',
	'PK\x06\x06',
	'PK\x06\x07',
	'data.pkl',
	'ctorch\nFloatStorage\n',
	'ctorch\nLongStorage\n',
	'ccollections\nOrderedDict\n',
	'ctorch._utils\n_rebuild_tensor_v2\n',
	'cos\nsystem\n',
	'storage',
];

const weights = new URL('../../fixtures/weights/', import.meta.url);

export const seeds = ['dense.bin', 'transposed.bin', 'evil-zip-4.bin', 'evil-before-1.6.bin'].map(
	name => readFileSync(new URL(name, weights)),
);
