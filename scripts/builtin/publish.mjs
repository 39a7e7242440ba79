// From a finished run to the folder in the repository: weights in half precision, the files that
// say how to use them, and a card with data, time and figures.

import {cp, mkdir, readdir, readFile, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {Output} from '../../dist/files/output.js';
import {cardOf} from './card.mjs';
import {halveWeights} from './halve.mjs';

const weights = ['model.safetensors', '2_Dense/model.safetensors'];

const others = [
	'config.json',
	'modules.json',
	'sentence_bert_config.json',
	'config_sentence_transformers.json',
	'tokenizer.json',
	'tokenizer_config.json',
	'special_tokens_map.json',
	'1_Pooling/config.json',
	'2_Dense/config.json',
];

/** Writes the folder, then its card, whose `figures` are measured on what was written. */
export async function publish(trained, folder, {figures, ...facts}) {
	const output = await Output.create(folder, {kind: 'folder', overwrite: true});
	try {
		for (const place of ['1_Pooling', '2_Dense']) await mkdir(join(output.temporary, place));
		for (const name of weights) {
			await halveWeights(join(trained, name), join(output.temporary, name));
		}

		for (const name of others) await cp(join(trained, name), join(output.temporary, name));
		const rows = await figures(output.temporary);
		const bytes = await sizeOf(output.temporary);
		const config = JSON.parse(await readFile(join(trained, 'config.json'), 'utf8'));
		await writeFile(join(output.temporary, 'README.md'), cardOf({...facts, rows, bytes, config}));
		await output.commit();
	} finally {
		await output.discard();
	}
}

async function sizeOf(folder) {
	const names = await readdir(folder, {recursive: true});
	const sizes = await Promise.all(names.map(name => stat(join(folder, name))));
	return sizes.reduce((sum, found) => sum + (found.isFile() ? found.size : 0), 0);
}
