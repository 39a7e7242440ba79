// What the teacher says: its vectors of all texts, kept in a file, for they take minutes.

import {access, rename} from 'node:fs/promises';
import {NpyWriter, readNpy} from '../../dist/files/npy.js';
import {EmbeddingModel} from '../../dist/index.js';

const textsAtOnce = 4096;

/** The teacher's vectors of the texts, row after row; read from `cache` if that is there. */
export async function teacherVectors(teacher, texts, cache) {
	const isThere = await access(cache).then(
		() => true,
		() => false,
	);
	if (!isThere) await encodeAll(teacher, texts, cache);
	const {data, shape} = await readNpy(cache);
	if (shape[0] === texts.length) return {data, width: shape[1]};
	throw new Error(`${cache}: expected ${texts.length} rows, got ${shape[0]}; remove it`);
}

async function encodeAll(teacher, texts, cache) {
	const model = await EmbeddingModel.load(teacher);
	const writer = await NpyWriter.open(`${cache}.tmp`, model.width);
	for (let at = 0; at < texts.length; at += textsAtOnce) {
		const {data} = await model.encode(texts.slice(at, at + textsAtOnce));
		await writer.append(data);
		console.error(`teacher: ${Math.min(at + textsAtOnce, texts.length)} of ${texts.length} texts`);
	}

	await writer.close();
	await model.dispose();
	await rename(`${cache}.tmp`, cache);
}
