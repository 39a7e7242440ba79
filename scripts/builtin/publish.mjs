// From a finished run to the folder in the repository: weights in half precision, the files that
// say how to use them, and a card with data, time and figures.

import {cp, mkdir, readdir, stat, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {Output} from '../../dist/files/output.js';
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

/** Writes the folder, then its card, whose figures are measured on what was written. */
export async function publish(trained, folder, {run, recipe, figures}) {
	const output = await Output.create(folder, {kind: 'folder', overwrite: true});
	try {
		for (const place of ['1_Pooling', '2_Dense']) await mkdir(join(output.temporary, place));
		for (const name of weights) {
			await halveWeights(join(trained, name), join(output.temporary, name));
		}

		for (const name of others) await cp(join(trained, name), join(output.temporary, name));
		const rows = await figures(output.temporary);
		const facts = {run, recipe, rows, bytes: await sizeOf(output.temporary)};
		await writeFile(join(output.temporary, 'README.md'), card(facts));
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

function card({run, recipe, rows, bytes}) {
	const {epochs, batchSize, learningRate} = recipe;
	const tokens = Math.round((run.tokensPerSecond * run.seconds) / 1e5) / 10;
	return `---
license: apache-2.0
language: en
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- sentence-similarity
- inbatch
---

# The embedded model

A small English BERT for text embeddings of 384 dimensions: 3 blocks of width 192, 6 heads, 10000
pieces, mean pooling, a linear layer to 384, unit length, texts of up to 256 tokens. It is here so
that a first run, a test or a demonstration needs no download; \`--model builtin\` and
\`EmbeddingModel.load('builtin')\` open it. Larger models are better.

It was made with this package alone, by \`scripts/make-builtin.mjs\`: its own WordPiece vocabulary;
token embeddings that begin as the teacher's vectors of the pieces, cut to 192 main directions; then
distillation, that is, training to give the vectors of its teacher,
[all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) (Apache-2.0), and
its similarities within a batch. The loss is \`scripts/builtin/distil.mjs\`.

## Data

${run.texts} distinct English texts in ${run.pairs} pairs, and the teacher's vectors of them:

| texts | from | licence |
|---|---|---|
| questions, paragraphs and their sentences | SQuAD 1.1, a part of the training split | CC BY-SA 4.0 |
| questions, answers and their sentences | MedQuAD, the training part | CC BY 4.0 |
| sentence pairs, without their labels | SNLI, development split | CC BY-SA 4.0 |

The texts served for training only; none of them is in this folder. No text of a set below was
trained on, and no option was chosen by one: they were set before the run, after trials of at most
60 steps that were judged on training texts held out of them.

## Training

${run.steps} steps (${epochs} epochs) of ${batchSize} pairs, ${tokens} million tokens, AdamW with a
largest rate of ${learningRate}, cosine schedule, f32: ${minutes(run.seconds)} on two cores of a
server CPU shared with other work, after the teacher's vectors (about 15 minutes).

## Figures

Measured once, on the files of this folder (${(bytes / 1e6).toFixed(2)} MB in all, weights in f16), with \`inbatch evaluate\`.

| set | metric | this model | its teacher |
|---|---|---|---|
${rows.map(cells => `| ${cells.join(' | ')} |`).join('\n')}

It knows little of the world and nothing of languages other than English.
`;
}

const minutes = seconds => `${Math.round(seconds / 60)} minutes`;
