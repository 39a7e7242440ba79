import {mkdirSync, writeFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {describe, expect, test} from 'vitest';
import {checkData} from '../../dist/check/check.js';
import {arcFace} from '../../dist/loss/arc-face.js';
import {simCse} from '../../dist/loss/simcse.js';
import {triplet} from '../../dist/loss/triplet.js';
import {temporaryFolder} from '../files/folder.js';
import {loadTiny} from '../train/tiny.js';

const {folder, put} = temporaryFolder();
const shared = resolve(process.env.INBATCH_SHARED ?? '../shared', 'data', 'seed_examples');
const lines = (rows: readonly unknown[]) => rows.map(row => JSON.stringify(row)).join('\n');

type Report = Awaited<ReturnType<typeof checkData>>;
const countsIn = ({findings}: Report) =>
	Object.fromEntries(findings.map(({kind, count}) => [kind, count]));
const finding = ({findings}: Report, kind: string) => findings.find(each => each.kind === kind);

describe('what a check finds', () => {
	test('Good data have no fault, and are counted', async () => {
		const report = await checkData([
			{query: 'how far is the moon', pos: ['about 384000 kilometres', 'far'], neg: ['of cheese']},
			{query: 'who was Ada Lovelace', pos: ['a mathematician'], neg: ['a ship', 'a town']},
		]);
		expect(report.findings).toEqual([]);
		expect(report).toMatchObject({
			...{ok: true, errors: 0, warnings: 0, kind: 'pair', records: 2, positives: 3, negatives: 3},
			...{rows: 2, droppedRows: 0, batches: 1, distinctQueries: 2, distinctDocuments: 6},
			positivesPerRecord: {1: 1, 2: 1},
			negativesPerRecord: {1: 1, 2: 1},
		});
	});

	test('Plain text is data where the loss takes texts alone', async () => {
		const path = put('plain.txt', 'how far is the moon\n\nwho was Ada Lovelace\n');
		const report = await checkData(path, {loss: simCse()});
		expect(report).toMatchObject({ok: true, kind: 'text', records: 2});
		expect((await checkData(path)).ok).toBe(false);
	});

	test('Every broken line is counted, with place, field, what was expected and what is there', async () => {
		const path = put(
			'broken.jsonl',
			`{"query": "a", "pos": ["b"]}\n{"query": 3, "pos": ["b"]}\nno json\n{"query": "a", "pos": ["x", 4]}\n` +
				`{"query": "a", "pos": ["  "]}\n{"query": "a"}\n{"query": "c", "pos": ["d"]}\n`,
		);
		const report = await checkData(path, {examples: 10});
		expect(report).toMatchObject({ok: false, records: 2, brokenLines: 5, errors: 5});
		expect(report.brokenByField).toEqual({query: 1, '': 1, pos: 2, positive: 1});
		expect(finding(report, 'empty-text')).toMatchObject({
			count: 1,
			examples: [{file: path, line: 5, field: 'pos[0]', got: 'an empty one'}],
		});
		expect(finding(report, 'broken-line')?.examples).toMatchObject([
			{
				where: `${path}:2`,
				line: 2,
				field: 'query',
				expected: '"query" to be a string',
				got: 'a number',
			},
			{line: 3, expected: 'a whole JSON value'},
			{line: 4, field: 'pos[1]', got: 'a number'},
			{line: 6, field: 'positive', got: 'only "query"'},
		]);
		const few = await checkData(path, {examples: 1});
		expect(finding(few, 'broken-line')).toMatchObject({count: 4, examples: [{line: 2}]});
	});

	test('A positive among its own negatives and a negative given twice are told by their line', async () => {
		const path = put(
			'own.jsonl',
			lines([
				{query: 'alpha', pos: ['beta'], neg: ['beta', 'gamma']},
				{query: 'delta', pos: ['epsilon'], neg: ['zeta', 'zeta']},
			]),
		);
		const report = await checkData(path);
		expect(countsIn(report)).toMatchObject({'own-negative': 1, 'repeated-negative': 1});
		expect(finding(report, 'own-negative')?.examples).toMatchObject([{line: 1, text: 'beta'}]);
		expect(finding(report, 'repeated-negative')?.examples).toMatchObject([{line: 2, text: 'zeta'}]);
	});

	test('Repeats of queries, documents and pairs are counted over all files', async () => {
		const first = put('first.jsonl', lines([{query: 'alpha', pos: ['beta']}]));
		const second = put(
			'second.jsonl',
			lines([
				{query: 'alpha', pos: ['beta']},
				{query: 'alpha', pos: ['gamma']},
				{query: 'delta', pos: ['gamma']},
			]),
		);
		const report = await checkData([first, second]);
		expect(report).toMatchObject({
			...{distinctQueries: 2, repeatedQueries: 2, distinctDocuments: 2, repeatedDocuments: 2},
			...{repeatedPairs: 1, files: [{records: 1}, {records: 3}]},
		});
		const [example] = finding(report, 'repeated-record')?.examples ?? [];
		expect(example).toMatchObject({file: second, line: 1, text: `beta (as ${first}:1)`});
	});

	test('A negative that is a positive of the same query elsewhere is a contradiction', async () => {
		const report = await checkData([
			{query: 'alpha', pos: ['beta']},
			{query: 'alpha', pos: ['gamma'], neg: ['beta']},
			{query: 'other', pos: ['delta'], neg: ['beta']},
		]);
		expect(finding(report, 'conflicting-pair')?.count).toBe(1);
	});

	test('Texts that differ in case and a word are nearly the same; others are not', async () => {
		const text = 'the quick brown fox jumps over the lazy dog while the cat sleeps in the warm sun';
		const report = await checkData([
			{query: 'one question about a fox', pos: [text]},
			{query: 'what else could be asked of us', pos: [text.toUpperCase()]},
			{query: 'and nothing of the sort here', pos: [`${text} today`]},
			{
				query: 'is this about harbours now',
				pos: ['ships lie at anchor in the harbour of the old town'],
			},
		]);
		expect(report).toMatchObject({nearQueries: 0, nearDocuments: 2});
		expect(finding(report, 'near-document')?.examples).toMatchObject([
			{line: 2, text: `${text.toUpperCase()} (as records:1)`},
			{line: 3, text: `${text} today (as records:1)`},
		]);
		const short = ['what is a', 'What is A?', 'what is b'].map(query => ({query, pos: [query]}));
		expect((await checkData(short)).nearQueries).toBe(1);
		const without = await checkData([{query: 'a', pos: [text, `${text} today`]}], {near: false});
		expect(without.nearDocuments).toBe(0);
	});

	test('Texts of garbage are told with what is wrong', async () => {
		const texts = [
			'???',
			'nan',
			'caf\ufffd',
			'cafÃ©',
			'a\u0001b',
			'aaaaaaaaaaaaaaaaaaaa',
			'\ud800 x',
		];
		const report = await checkData(texts.map((text, n) => ({query: `word ${n}`, pos: [text]})));
		expect(finding(report, 'lost-text')?.count).toBe(texts.length);
		const reasons = finding(report, 'lost-text')?.examples.map(({text}) => text);
		expect(reasons).toEqual([
			'no letter and no digit: ???',
			'a word for nothing: nan',
			'characters that were lost (U+FFFD): caf\ufffd',
			'UTF-8 that was read as Latin-1: cafÃ©',
			'control characters: a\u0001b',
		]);
	});

	test('Languages and scripts are counted, and a pair in two scripts is told', async () => {
		const report = await checkData([
			{
				query: 'what is the capital of the country',
				pos: ['Die Hauptstadt ist nicht auf der Karte'],
			},
			{query: '中国的首都是哪里', pos: ['北京是中国的首都']},
			{query: 'これはどこですか', pos: ['东京是日本的首都']},
		]);
		expect(report.scripts).toEqual({Han: 3, Latin: 2, Kana: 1});
		expect(report.languages).toEqual({zh: 3, en: 1, de: 1, ja: 1});
		expect(finding(report, 'other-script')?.count).toBe(1);
	});

	test('Scores and labels are summed, and contradictions between scores are told', async () => {
		const report = await checkData([
			{query: 'a', pos: ['b'], neg: ['c', 'd'], teacher_scores: [0.5, 0.7, -1]},
			{query: 'e', pos: ['f'], neg: ['g'], teacher_scores: [2, 2]},
		]);
		expect(report.scores).toEqual({
			positive: {count: 2, min: 0.5, mean: 1.25, deviation: 0.75, max: 2},
			negative: {
				count: 3,
				min: -1,
				max: 2,
				mean: expect.closeTo(1.7 / 3, 12),
				deviation: expect.any(Number),
			},
		});
		expect(countsIn(report)).toMatchObject({'better-negative': 2, 'equal-scores': 1});
		const labels = [0, 1, 1, 2, 0].map((label, n) => ({text: `text ${n}`, label}));
		const classes = await checkData(labels, {loss: arcFace({classes: 3})});
		expect(classes).toMatchObject({kind: 'text', labels: {0: 2, 1: 2, 2: 1}});
		expect(finding(classes, 'rare-label')?.examples).toMatchObject([{text: '2'}]);
	});

	test('What a loss needs is asked of every record', async () => {
		const rows = [
			{query: 'a', pos: ['b'], neg: ['c']},
			{query: 'd', pos: ['e']},
		];
		expect((await checkData(rows)).ok).toBe(true);
		const report = await checkData(rows, {loss: triplet()});
		expect(finding(report, 'broken-line')).toMatchObject({count: 1, examples: [{line: 2}]});
	});

	test('Rows that training leaves out are counted by the rules of training', async () => {
		const rows = [
			{query: 'a', pos: ['b', 'c'], neg: ['d']},
			{query: 'e', pos: ['f'], neg: []},
		];
		const each = await checkData(rows, {positives: 'each', negatives: 1, onShortage: 'drop'});
		expect(each).toMatchObject({rows: 2, droppedRows: 1});
		const refused = await checkData(rows, {negatives: 2, onShortage: 'error'});
		expect(refused).toMatchObject({ok: false, rows: null});
		expect(countsIn(refused)).toMatchObject({shortage: 1});
	});
});

describe('leakage into evaluation sets', () => {
	const retrieval = join(folder, 'set');
	mkdirSync(retrieval);
	writeFileSync(
		join(retrieval, 'corpus.jsonl'),
		lines([
			{_id: 'd1', title: 'Moon', text: 'It is far away.'},
			{_id: 'd2', title: '', text: 'A relevant one.'},
		]),
	);
	writeFileSync(
		join(retrieval, 'queries.jsonl'),
		lines([
			{_id: 'q1', text: 'How far is the moon?'},
			{_id: 'q2', text: 'Another question altogether'},
			{_id: 'q3', text: 'Only for training'},
		]),
	);
	const qrels = 'query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq2\td1\t0\n';
	writeFileSync(join(retrieval, 'qrels.tsv'), qrels);

	test('Judged queries, pairs and relevant documents are found, whatever their case', async () => {
		const report = await checkData(
			[
				{query: 'how far is the MOON', pos: ['moon it is far away']},
				{query: 'Only for training', pos: ['a relevant one']},
				{query: 'nothing', pos: ['of it']},
			],
			{eval: `set=${retrieval}`},
		);
		expect(report.ok).toBe(false);
		expect(report.evaluation).toEqual([
			{
				...{name: 'set', queries: 2, documents: 2, leakedQueries: 1, leakedPairs: 1},
				...{leakedDocuments: 1, nearQueries: 0},
			},
		]);
		expect(countsIn(report)).toMatchObject({
			...{'evaluation-query': 1, 'evaluation-pair': 1, 'evaluation-document': 1},
		});
	});

	test('Both orders of a scored pair are found', async () => {
		const pairs = put(
			'sts.jsonl',
			lines([
				{sentence1: 'A man plays the guitar', sentence2: 'Somebody makes music', score: 4},
				{sentence1: 'Nobody is here', sentence2: 'The house is empty', score: 3},
			]),
		);
		const rows = [{query: 'somebody makes music', pos: ['a man plays the guitar']}];
		const report = await checkData(rows, {eval: pairs});
		expect(report.evaluation).toMatchObject([{leakedQueries: 0, leakedPairs: 1}]);
	});
});

describe('with a model', () => {
	test('Lengths are counted in tokens, with the prompt, and what is cut is told', async () => {
		const model = await loadTiny();
		const rows = [{query: 'the age', pos: ['the service of the union at age 7'], neg: ['age']}];
		const report = await checkData(rows, {model, documentMaxLength: 5, queryPrompt: 'the '});
		const {ids} = await model.tokenizer.encode(['the the age'], {maxLength: 100});
		expect(report.lengths.query).toMatchObject({tokens: {max: ids.length}, truncated: 0});
		const facts = {maxLength: 5, truncated: 1, truncatedShare: 0.5};
		expect(report.lengths.document).toMatchObject(facts);
		expect(finding(report, 'cut-text')?.examples).toMatchObject([{line: 1}]);
	});

	test('A document of others that is the query itself comes before its positive', async () => {
		const model = await loadTiny();
		const rows = [
			{query: 'symptom of age', pos: ['company']},
			{query: 'union', pos: ['service and pattern'], neg: ['symptom of age now']},
		];
		const report = await checkData(rows, {model});
		expect(report.mined).toMatchObject({queries: 2, documents: 3});
		const {data} = await model.encode([
			...['symptom of age', 'company', 'service and pattern', 'symptom of age now', 'union'],
		]);
		const row = (n: number) => data.subarray(n * model.width, (n + 1) * model.width);
		const dot = (a: number, b: number) => row(a).reduce((sum, x, n) => sum + x * row(b)[n]!, 0);
		const first = [2, 3].filter(document => dot(0, document) >= dot(0, 1)).length;
		const second = [1, 3].filter(document => dot(4, document) >= dot(4, 2)).length;
		expect(report.mined?.suspectShare).toBe((first + second) / 4);
		expect(first + second).toBeGreaterThan(0);
	});
});

describe('files', () => {
	test('A file of nothing and a file of another kind are findings beside good ones', async () => {
		const good = put('good.jsonl', lines([{query: 'a b', pos: ['c d']}]));
		const empty = put('empty.jsonl', '');
		const report = await checkData([good, empty]);
		expect(report).toMatchObject({ok: false, records: 1});
		expect(countsIn(report)).toMatchObject({'unreadable-file': 1});
		await expect(checkData('/nowhere.jsonl')).rejects.toMatchObject({code: 'FILE_NOT_FOUND'});
	});

	test('No record at all is an error', async () => {
		const report = await checkData(put('none.jsonl', '{"query": 1}\n'));
		expect(countsIn(report)).toMatchObject({'no-records': 1, 'broken-line': 1});
	});

	test.skipIf(process.env.INBATCH_SHARED === undefined)(
		'The examples of the systems are counted (INBATCH_SHARED)',
		async () => {
			const intel = await checkData(join(shared, 'itrex_embedding_finetune', 'example.jsonl'));
			expect(intel).toMatchObject({ok: true, records: 10, positives: 10, negatives: 0});
			const t2 = await checkData(join(shared, 'rag-retrieval', 't2rank_100.jsonl'));
			expect(t2).toMatchObject({records: 100, positives: 505, negatives: 1500});
			expect(t2.distinctQueries + t2.distinctDocuments).toBe(2087);
			const scored = await checkData(join(shared, 'rag-retrieval', 'lmsft.jsonl'), {
				positives: 'each',
			});
			expect(scored).toMatchObject({rows: 4, scores: {positive: {min: 0.2, max: 0.8}}});
		},
	);
});
