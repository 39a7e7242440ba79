// Golden vectors on a card: the tiny models of every family against torch, the embedded one against
// sentence-transformers; in f32 within the limits of the CPU, in 16 bits within those of what rounding may do.

import {describe, expect, test} from 'vitest';
import {native} from '../../dist/native.js';
import {cardAddonPath, isEmulating} from '../support/emulated.js';
import {type Matrix, rowsOf} from '../support/matrix.js';
import type {Batch} from '../support/model64.js';
import {expectNear} from '../support/nearness-bf16.js';
import {encode, select} from '../support/tiny-model.js';
import {worstError} from '../support/tolerance.js';
import {embeddedLimit, encoded, goldenTexts} from './embedded.js';
import {familyFolders, fixtures, goldenBatch, goldenMatrix, loadFamily} from './families.js';
import {load} from './folders.js';

process.env.INBATCH_NATIVE = cardAddonPath;

const openCard = () => new (native().Device)({card: 0});

/** The emulator takes its time: some texts for it, all for a card. */
const some = (all: Batch) => (isEmulating ? [1, 2, 5] : [...all.texts.keys()]);

const below = (parts: readonly Matrix[]): Matrix => ({
	rows: parts.reduce((sum, {rows}) => sum + rows, 0),
	columns: parts[0]!.columns,
	values: Float64Array.from(parts.flatMap(({values}) => [...values])),
});

describe.each(familyFolders(fixtures))('$name', ({path, hiddenError}) => {
	test('in f32 has the hidden rows of torch', async () => {
		const {model} = await loadFamily(path, {device: openCard()});
		const [batch, hidden] = [await goldenBatch(path), await goldenMatrix(path, 'hidden_last')];
		const {offsets} = batch;
		const rows = some(batch).map(text => rowsOf(hidden, offsets[text]!, offsets[text + 1]!));
		const found = await encode(model, select(batch, some(batch)));
		expect(worstError(found, below(rows)).error).toBeLessThan(3 * hiddenError);
	});

	test('in 16 bits has nearly the vectors of torch', async () => {
		const loading = {pooling: 'mean', device: openCard(), dtype: 'bf16'} as const;
		const {model} = await loadFamily(path, loading);
		const [batch, pooled] = [await goldenBatch(path), await goldenMatrix(path, 'pooled_mean')];
		const rows = some(batch).map(text => rowsOf(pooled, text, text + 1));
		expectNear(await encode(model, select(batch, some(batch))), below(rows), model.spec);
	});
});

describe('the embedded model', () => {
	const golden = () => goldenTexts(isEmulating ? 2 : undefined);

	const why = isEmulating ? ' (skipped: the emulator takes its time)' : '';

	test.skipIf(isEmulating)(`in f32 has the vectors of sentence-transformers${why}`, async () => {
		const {texts, vectors} = await golden();
		const model = await load('builtin', {device: 'cuda', dtype: 'f32'});
		expect(worstError(await encoded(model, texts), vectors).error).toBeLessThan(embeddedLimit);
	});

	test('in 16 bits has nearly the vectors of sentence-transformers', async () => {
		const {texts, vectors, enlargement} = await golden();
		const model = await load('builtin', {device: 'cuda', dtype: 'bf16'});
		expectNear(await encoded(model, texts), vectors, model.folder.spec, enlargement);
	});
});
