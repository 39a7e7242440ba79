import {cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {pearson, spearman} from '../../dist/evaluate/correlation.js';
import {evaluate} from '../../dist/evaluate/evaluate.js';
import {evaluateRun} from '../../dist/evaluate/trec.js';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {plainMetrics} from './plain-metrics.js';

const root = join(import.meta.dirname, '..', '..');
const bert = join(root, 'test', 'fixtures', 'families', 'bert');
const folder = mkdtempSync(join(tmpdir(), 'inbatch-evaluator-'));
const model = await EmbeddingModel.load(bert, {pooling: 'mean', threads: 2});
const other = await EmbeddingModel.load(bert, {pooling: 'cls', threads: 1});
afterAll(async () => {
	await Promise.all([model.dispose(), other.dispose()]);
	rmSync(folder, {recursive: true, force: true});
});

const words =
	'the cat sat near old rivers while seven grey birds sang about winter and bread'.split(' ');
/** Texts that differ from each other, without any chance in them. */
const textOf = (n: number) => {
	const length = 3 + (n % 5);
	const places = Array.from({length}, (_, at) => (n * 7 + at * (1 + (n % 3))) % words.length);
	return [...places.map(place => words[place]), n].join(' ');
};
const lines = (rows: readonly object[]) => rows.map(row => `${JSON.stringify(row)}\n`).join('');

type Made = {documents: number; queries: number; titled?: boolean; distinct?: number};
/** Query n is judged: document n is right, document n + 1 better. */
function retrievalSet(name: string, made: Made): string {
	const {documents, queries, titled = false, distinct = documents} = made;
	const path = join(folder, name);
	mkdirSync(join(path, 'qrels'), {recursive: true});
	const corpus = Array.from({length: documents}, (_, n) => ({
		_id: `d${n}`,
		title: titled ? `title ${n}` : '',
		text: textOf(n % distinct),
	}));
	const asked = Array.from({length: queries}, (_, n) => ({
		_id: `d${n}`,
		text: `which ${textOf(n)}`,
	}));
	const judged = asked.flatMap(({_id}, n) => [`${_id}\td${n}\t1\n`, `${_id}\td${n + 1}\t2\n`]);
	writeFileSync(join(path, 'corpus.jsonl'), lines(corpus));
	writeFileSync(join(path, 'queries.jsonl'), lines(asked));
	writeFileSync(join(path, 'qrels', 'test.tsv'), `query-id\tcorpus-id\tscore\n${judged.join('')}`);
	writeFileSync(join(path, 'qrels_dev.tsv'), 'query-id\tcorpus-id\tscore\nd0\td0\t1\n');
	return path;
}

const small = retrievalSet('small', {documents: 40, queries: 12});

const pairs = join(folder, 'pairs.jsonl');
const gold = Array.from({length: 30}, (_, n) => (n * 13) % 7);
writeFileSync(
	pairs,
	lines(gold.map((score, n) => ({sentence1: textOf(n), sentence2: textOf(n + score), score}))),
);

type Vectors = {data: Float32Array; rows: number; width: number};
const row = ({data, width}: Vectors, n: number) =>
	Array.from(data.subarray(n * width, (n + 1) * width));
const dot = (a: readonly number[], b: readonly number[]) =>
	a.reduce((sum, value, column) => sum + value * b[column]!, 0);
const cosine = (a: readonly number[], b: readonly number[]) =>
	dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

type Plain = {
	documents: number;
	queries: number;
	score?: typeof dot;
	prompts?: readonly [query: string, document: string];
	keep?: (query: number, document: number) => boolean;
	of?: EmbeddingModel;
};

/** The metrics at k by the plainest search over all vectors. */
async function plainMean(k: number, plain: Plain): Promise<Record<string, number>> {
	const {
		documents,
		queries,
		score = cosine,
		prompts = ['', ''],
		keep = () => true,
		of = model,
	} = plain;
	const texts = (count: number, make: (n: number) => string) =>
		Array.from({length: count}, (_, n) => make(n));
	const corpus = await of.encode(texts(documents, n => prompts[1] + textOf(n)));
	const asked = await of.encode(texts(queries, n => `${prompts[0]}which ${textOf(n)}`));
	const mean: Record<string, number> = {};
	for (let query = 0; query < queries; query++) {
		const ordered = Array.from({length: documents}, (_, n) => n)
			.filter(n => keep(query, n))
			.map(n => ({id: `d${n}`, value: score(row(asked, query), row(corpus, n))}))
			.sort((a, b) => b.value - a.value);
		const grades = new Map([
			[`d${query}`, 1],
			[`d${query + 1}`, 2],
		]);
		const metrics = plainMetrics(
			ordered.slice(0, 1000).map(({id}) => id),
			grades,
			k,
		);
		for (const [name, value] of Object.entries(metrics)) {
			mean[name] = (mean[name] ?? 0) + value / queries;
		}
	}
	return mean;
}

const names = ['ndcg@5', 'mrr@5', 'recall@5', 'precision@5', 'map@5', 'hit@5', 'map', 'mrr'];
const expectClose = (metrics: Record<string, number>, expected: Record<string, number>) => {
	for (const name of names) expect(metrics[name], name).toBeCloseTo(expected[name]!, 10);
};

describe('a retrieval set', () => {
	test('has the metrics of the plainest search', async () => {
		const {model: path, results} = await evaluate(model, {retrieval: small, k: [5]});
		const [result] = results;
		expect(path).toBe(bert);
		expect(Object.keys(result!.metrics).sort()).toEqual([...names].sort());
		expectClose(result!.metrics, await plainMean(5, {documents: 40, queries: 12}));
		expect(result).toMatchObject({
			name: small,
			task: 'retrieval',
			queries: 12,
			documents: 40,
			queriesWithoutRelevant: 0,
			queriesWithoutJudgements: 0,
			truncatedQueries: 0,
			truncatedDocuments: 0,
			seconds: expect.any(Number),
		});
	});

	test('is searched in slices as if it were whole', async () => {
		const large = retrievalSet('large', {documents: 9000, queries: 3});
		const {results} = await evaluate(model, {retrieval: large, k: [5]});
		expectClose(results[0]!.metrics, await plainMean(5, {documents: 9000, queries: 3}));
	});

	test('leaves out documents with the id of the query when asked', async () => {
		const {results} = await evaluate(model, {retrieval: small, k: [5], ignoreIdenticalIds: true});
		const keep = (query: number, document: number) => query !== document;
		expectClose(results[0]!.metrics, await plainMean(5, {documents: 40, queries: 12, keep}));
	});

	test('is ranked with the prompts given', async () => {
		const prompts = ['ask: ', 'tell: '] as const;
		const [queryPrompt, documentPrompt] = prompts;
		const {results} = await evaluate(model, {
			retrieval: small,
			k: [5],
			queryPrompt,
			documentPrompt,
		});
		expectClose(results[0]!.metrics, await plainMean(5, {documents: 40, queries: 12, prompts}));
	});

	test('is ranked with the similarity and the prompts of the model', async () => {
		const dotted = join(folder, 'dotted');
		cpSync(bert, dotted, {recursive: true});
		const outer = {
			similarity_fn_name: 'dot',
			prompts: {query: 'ask: ', document: '', passage: 'tell: '},
		};
		writeFileSync(join(dotted, 'config_sentence_transformers.json'), JSON.stringify(outer));
		await using of = await EmbeddingModel.load(dotted, {pooling: 'mean', normalize: false});
		const {results} = await evaluate(of, {retrieval: small, k: [5]});
		const prompts = ['ask: ', 'tell: '] as const;
		expectClose(
			results[0]!.metrics,
			await plainMean(5, {documents: 40, queries: 12, score: dot, prompts, of}),
		);
	});

	test('is read with the split and the title', async () => {
		const titled = retrievalSet('titled', {documents: 6, queries: 2, titled: true});
		const {results} = await evaluate(model, {retrieval: `mine=${titled}`, split: 'dev'});
		expect(results[0]).toMatchObject({name: 'mine', queries: 1, queriesWithoutJudgements: 1});
	});

	test.each(['trec', 'stable', 'expected'] as const)(
		'with equal documents gives a run of the same metrics to the last digit: %s',
		async ties => {
			const path = retrievalSet(`equal ${ties}`, {documents: 1500, queries: 12, distinct: 9});
			const run = join(folder, `${ties}.run`);
			const k = [1, 3, 5, 10, 100, 1200];
			const {results} = await evaluate(model, {retrieval: path, run, ties, k});
			const {metrics} = await evaluateRun(run, join(path, 'qrels', 'test.tsv'), {ties, k});
			expect(metrics).toEqual(results[0]!.metrics);
		},
	);

	test('can be written as a run that has the same metrics', async () => {
		const run = join(folder, 'small.run');
		const options = {retrieval: small, k: [5], run, ties: 'stable'} as const;
		const {results} = await evaluate(model, options);
		const {metrics} = await evaluateRun(run, join(small, 'qrels', 'test.tsv'), {k: [5]});
		expectClose(results[0]!.metrics, metrics);
		await expect(evaluate(model, options)).rejects.toMatchObject({code: 'OUTPUT_EXISTS'});
	});
});

test('scored pairs have the correlations of their similarities', async () => {
	const {results} = await evaluate(model, {sts: pairs});
	const first = await model.encode(gold.map((_, n) => textOf(n)));
	const second = await model.encode(gold.map((score, n) => textOf(n + score)));
	const both = (n: number) => [row(first, n), row(second, n)] as const;
	const cosines = gold.map((_, n) => cosine(...both(n)));
	const dots = gold.map((_, n) => dot(...both(n)));
	const {metrics, ...facts} = results[0]!;
	expect(metrics['spearman_cosine']).toBeCloseTo(spearman(gold, cosines), 10);
	expect(metrics['pearson_cosine']).toBeCloseTo(pearson(gold, cosines), 10);
	expect(metrics['pearson_dot']).toBeCloseTo(pearson(gold, dots), 10);
	expect(facts).toEqual({
		name: pairs,
		task: 'sts',
		pairs: 30,
		truncated: 0,
		seconds: expect.any(Number),
	});
});

describe('two models', () => {
	test('are both measured, and their difference is tested', async () => {
		const {results} = await evaluate(model, {retrieval: small, sts: pairs, compare: other, k: [5]});
		const alone = await evaluate(other, {retrieval: small, sts: pairs, k: [5]});
		for (const [place, {metrics, compare}] of results.entries()) {
			expect(compare?.metrics).toEqual(alone.results[place]?.metrics);
			expect(Object.keys(compare!.p).sort()).toEqual(Object.keys(metrics).sort());
			for (const name of Object.keys(metrics)) {
				expect(compare?.difference[name]).toBeCloseTo(metrics[name]! - compare!.metrics[name]!, 10);
				const [low, high] = compare!.interval[name]!;
				expect(low).toBeLessThanOrEqual(compare!.difference[name]!);
				expect(high).toBeGreaterThanOrEqual(compare!.difference[name]!);
				expect(compare?.p[name]).toBeGreaterThan(0);
			}
		}
	});

	test('that are the same differ by nothing', async () => {
		const {results} = await evaluate(model, {retrieval: small, compare: model, k: [5]});
		expect(results[0]?.compare).toMatchObject({
			difference: {'ndcg@5': 0},
			interval: {'ndcg@5': [0, 0]},
			p: {'ndcg@5': 1},
		});
	});
});

test('progress counts the texts of all sets', async () => {
	const seen: {name: string; done: number; total: number}[] = [];
	await evaluate(model, {
		retrieval: small,
		sts: pairs,
		onProgress: progress => seen.push(progress),
	});
	expect(seen.at(-1)).toEqual({name: pairs, done: 112, total: 112});
	expect(seen.every(({done}, n) => n === 0 || done >= seen[n - 1]!.done)).toBe(true);
});

test('an abort rejects with its reason and the model stays usable', async () => {
	const controller = new AbortController();
	const reason = new Error('enough');
	const options = {
		retrieval: small,
		signal: controller.signal,
		onProgress: () => controller.abort(reason),
	};
	await expect(evaluate(model, options)).rejects.toBe(reason);
	expect((await evaluate(model, {sts: pairs})).results).toHaveLength(1);
});

test.each([
	[{}, 'OPTION_MISSING'],
	[{retrieval: [small, small], run: 'x'}, 'OPTION_CONFLICT'],
	[{sts: pairs, run: 'x'}, 'OPTION_CONFLICT'],
	[{retrieval: small, k: [0]}, 'OPTION_RANGE'],
	[{retrieval: small, ties: 'best'}, 'OPTION_RANGE'],
	[{retrieval: small, spilt: 'dev'}, 'OPTION_UNKNOWN'],
	[{retrieval: small, split: 'dve'}, 'FILE_NOT_FOUND'],
	[{retrieval: pairs}, 'FILE_NOT_FOUND'],
	[{retrieval: small, dimensions: 65}, 'OPTION_RANGE'],
	[{sts: small}, 'FILE_UNREADABLE'],
])('%j is refused', async (options, code) => {
	await expect(evaluate(model, options as object)).rejects.toMatchObject({code});
});

const shared = process.env.INBATCH_SHARED ?? join(root, '..', 'shared');
const minilm = join(shared, 'models', 'all-MiniLM-L6-v2');

test.skipIf(!existsSync(minilm))(
	'all-MiniLM-L6-v2 lands on the published figures (skipped without the shared models)',
	async () => {
		await using real = await EmbeddingModel.load(minilm);
		const {results} = await evaluate(real, {sts: join(shared, 'data', 'sts', 'sick', 'dev.jsonl')});
		// Within 0.001, as the README of the reference figures says.
		expect(Math.abs(results[0]!.metrics['spearman_cosine']! - 0.79801)).toBeLessThan(0.001);
		expect(Math.abs(results[0]!.metrics['pearson_cosine']! - 0.84579)).toBeLessThan(0.001);
	},
);
