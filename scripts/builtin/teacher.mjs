// What the teacher says: its vectors of all texts, kept in a file, for they take minutes. The file's name
// tells the teacher and the texts.

import {createHash} from 'node:crypto';
import {access, rename} from 'node:fs/promises';
import {join} from 'node:path';
import {NpyWriter, readNpy} from '../../dist/files/npy.js';
import {EmbeddingModel} from '../../dist/index.js';

const textsAtOnce = 4096;

/** The teacher's vectors of the texts, row after row; read from the folder `work` if they are there. */
export async function teacherVectors(teacher, texts, work) {
	const model = await EmbeddingModel.load(teacher);
	const hash = createHash('sha256').update(JSON.stringify([model.fingerprint, texts]));
	const cache = join(work, `teacher-${hash.digest('hex').slice(0, 16)}.npy`);
	const isThere = await access(cache).then(
		() => true,
		() => false,
	);
	if (!isThere) await encodeAll(model, texts, cache);
	await model.dispose();
	const {data, shape} = await readNpy(cache);
	return {data, width: shape[1]};
}

async function encodeAll(model, texts, cache) {
	const writer = await NpyWriter.open(`${cache}.tmp`, model.width);
	for (let at = 0; at < texts.length; at += textsAtOnce) {
		const {data} = await model.encode(texts.slice(at, at + textsAtOnce));
		await writer.append(data);
		console.error(`teacher: ${Math.min(at + textsAtOnce, texts.length)} of ${texts.length} texts`);
	}

	await writer.close();
	await rename(`${cache}.tmp`, cache);
}
