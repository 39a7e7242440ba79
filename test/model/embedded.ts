// What sentence-transformers makes of some texts by the embedded model; see test/fixtures/embedded.

import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {readNpy} from '../../dist/files/npy.js';
import type {EmbeddingModel} from '../../dist/model/embedding-model.js';
import type {Matrix} from '../support/matrix.js';

const fixtures = fileURLToPath(new URL('../fixtures/embedded/', import.meta.url));

/** How far a column of a unit row in float32 may be from the one in float64. */
export const embeddedLimit = 2e-6;

type Golden = {texts: string[]; vectors: Matrix; enlargement: number[]};

const readJson = (name: string) => JSON.parse(readFileSync(`${fixtures}${name}`, 'utf8'));

/** The texts, short ones first, and what is known of them: of all, or so many of them. */
export async function goldenTexts(count?: number): Promise<Golden> {
	const all: string[] = readJson('texts.json');
	const enlargement: number[] = readJson('enlargement.json');
	const {data, shape} = await readNpy(`${fixtures}expected.npy`);
	const texts = all.slice(0, count);
	const columns = shape[1]!;
	const values = Float64Array.from(data as Float32Array).slice(0, texts.length * columns);
	return {texts, vectors: {rows: texts.length, columns, values}, enlargement};
}

export async function encoded(model: EmbeddingModel, texts: readonly string[]): Promise<Matrix> {
	const {data, rows, width: columns} = await model.encode(texts);
	return {rows, columns, values: Float64Array.from(data)};
}
