// Retrieval by MaxSim: rankings against plain loops over token vectors, whatever the size of a lot.

import {mkdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {evaluate} from '../../dist/evaluate/evaluate.js';
import {TopScores} from '../../dist/evaluate/top-scores.js';
import type {TokenVectors} from '../../dist/model/token-vectors.js';
import {temporaryFolder} from '../files/folder.js';
import {normals} from '../support/matrix.js';
import {lines, loadTiny, rowsOf} from '../train/tiny.js';

const {folder, put} = temporaryFolder();
const rows = rowsOf(90);
const documents = [...rows.map(({positive}) => positive), 'the sign', ''];
const queries = rows.slice(0, 12).map(({query}) => query);

mkdirSync(join(folder, 'set', 'qrels'), {recursive: true});
put('set/corpus.jsonl', lines(documents.map((text, n) => ({_id: `d${n}`, title: '', text}))));
put('set/queries.jsonl', lines(queries.map((text, n) => ({_id: `q${n}`, text}))));
const judged = queries.map((_, n) => `q${n}\td${n}\t1`);
put('set/qrels/test.tsv', `query-id\tcorpus-id\tscore\n${judged.join('\n')}\n`);
const set = join(folder, 'set');

async function lateModel() {
	const model = await loadTiny({dense: 12});
	model.handUpTokens();
	return model;
}

/** The sum over tokens of a query of the largest product with a token of the document. */
function plainScore(a: TokenVectors, query: number, b: TokenVectors, document: number): number {
	const row = ({data, width}: TokenVectors, n: number) => data.subarray(n * width, (n + 1) * width);
	let sum = 0;
	for (let n = a.offsets[query]!; n < a.offsets[query + 1]!; n++) {
		let most = Number.NEGATIVE_INFINITY;
		for (let m = b.offsets[document]!; m < b.offsets[document + 1]!; m++) {
			const x = row(b, m);
			most = Math.max(
				most,
				row(a, n).reduce((dot, value, i) => dot + value * x[i]!, 0),
			);
		}
		sum += most;
	}
	return sum;
}

describe('a model of token vectors', () => {
	test('ranks by MaxSim, under the prompts', async () => {
		const model = await lateModel();
		const prompts = {queryPrompt: 'what is ', documentPrompt: 'the '};
		const run = join(folder, 'run.trec');
		const {results} = await evaluate(model, {retrieval: set, ...prompts, run, overwrite: true});
		const a = await model.encodeTokens(queries, {promptText: 'what is '});
		const b = await model.encodeTokens(documents, {promptText: 'the '});
		const scores = queries.map((_, query) =>
			documents.map((_, document) => plainScore(a, query, b, document)),
		);
		const first = scores.filter((all, n) => all.every((score, m) => m === n || score < all[n]!));
		const [{metrics, documents: count} = {metrics: {}}] = results;
		expect(metrics['hit@1']).toBeCloseTo(first.length / queries.length, 10);
		expect(count).toBe(documents.length);
		const found = readFileSync(run, 'utf8').trimEnd().split('\n');
		expect(found).toHaveLength(queries.length * documents.length);
		for (const line of found) {
			const [query, , document, , score] = line.split(' ');
			const expected = scores[Number(query!.slice(1))]![Number(document!.slice(1))]!;
			expect(Number(score) / expected).toBeCloseTo(1, 4);
		}
	});

	test('is compared with one of one vector a text', async () => {
		const [late, whole] = [await lateModel(), await loadTiny()];
		const {results} = await evaluate(late, {retrieval: set, compare: whole});
		const alone = await evaluate(whole, {retrieval: set});
		expect(results[0]!.compare!.metrics).toEqual(alone.results[0]!.metrics);
	});

	test('is refused with scored pairs before anything is encoded', async () => {
		const pairs = [0, 1].map(score => ({sentence1: 'a', sentence2: `b ${score}`, score}));
		const sts = put('sts.jsonl', lines(pairs));
		const asked = evaluate(await lateModel(), {retrieval: set, sts});
		await expect(asked).rejects.toMatchObject({
			code: 'MODEL_POOLING',
			message: expect.stringContaining('retrieval sets rank by MaxSim'),
		});
	});
});

describe('the best of passing scores', () => {
	const [queryCount, total, kept] = [3, 157, 10];
	const random = normals(4);
	const scores = Array.from({length: queryCount}, () =>
		// Rounded, so that many are equal.
		Array.from({length: total}, () => Math.fround(Math.round(4 * random()) / 4)),
	);

	test.each([1, 7, 64, 157])('are the same in lots of %d', async lot => {
		const best = new TopScores(queryCount, kept);
		for (let begin = 0; begin < total; begin += lot) {
			await best.add(Float32Array.from(scores.flatMap(all => all.slice(begin, begin + lot))));
		}
		for (const [query, all] of scores.entries()) {
			const expected = all
				.map((score, document) => [document, score] as const)
				.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
			expect(best.of(query)).toEqual(expected.slice(0, kept));
		}
	});

	test('are all where there are fewer', async () => {
		const best = new TopScores(1, 5);
		await best.add(Float32Array.of(0.5, 2));
		expect(best.of(0)).toEqual([
			[1, 2],
			[0, 0.5],
		]);
	});
});
