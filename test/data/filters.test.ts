import {existsSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {type DatasetOptions, openDataset} from '../../dist/data/dataset.js';
import {rangeOf} from '../../dist/data/filters.js';
import {Rows} from '../../dist/data/rows.js';
import {temporaryFolder} from '../files/folder.js';
import {batchesIn, distinct, numbers, rowsIn} from './batches.js';

const {put} = temporaryFolder();
const shared = resolve(process.env.INBATCH_SHARED ?? '../shared', 'data', 'seed_examples');
const chat = join(shared, 'flagembedding', 'llm_embedder_toy', 'chat.json');
const qa = join(shared, 'flagembedding', 'llm_embedder_toy', 'qa.json');
const lines = (records: object[]) => records.map(record => `${JSON.stringify(record)}\n`).join('');

async function opened(path: string, options: DatasetOptions = {}) {
	const dataset = await openDataset([path], options);
	onTestFinished(() => dataset.close());
	return dataset;
}

const scored = put(
	'scored.jsonl',
	lines([
		{query: 'a', pos: ['p1'], neg: ['n1', 'n2'], teacher_scores: [3, 1, 2.5]},
		{query: 'b', pos: ['p2'], neg: ['n3', 'n4'], teacher_scores: [1, 2, 1.5]},
		{query: 'c', pos: ['p3'], neg: ['n5', 'n6'], teacher_scores: [0, -1, -3]},
		{query: 'd', pos: ['p4'], neg: ['n7', 'n8']},
	]),
);

const queries = async (options: DatasetOptions) => {
	const dataset = await opened(scored, options);
	const records = await dataset.records(numbers(dataset.length));
	return [records.map(({query}) => query).join(''), dataset.warnings.join('; ')];
};

test('Of a teacher the highest score counts, and how far the lowest lies below it', async () => {
	expect(await queries({teacherMin: 2})).toEqual([
		'abd',
		`${scored}: 1 of 4 records left out by teacher-min`,
	]);
	expect(await queries({teacherMargin: 2})).toEqual([
		'acd',
		`${scored}: 1 of 4 records left out by teacher-margin`,
	]);
	expect(await queries({teacherMin: 2, teacherMargin: 1.5})).toEqual([
		'ad',
		`${scored}: 1 of 4 records left out by teacher-min; ${scored}: 1 of 4 records left out by teacher-margin`,
	]);
	expect((await queries({teacherMin: 3, teacherMargin: 2}))[0]).toBe('ad');
});

test('Filters that look at scores are refused where no record has any', async () => {
	const plain = put('plain.jsonl', lines(distinct(3)));
	await expect(openDataset([plain], {teacherMin: 0})).rejects.toThrow(
		'data: expected records with "teacher_scores", as teacher-min and teacher-margin need, got none',
	);
});

test('What a filter leaves out is not asked what the loss needs, but must be a record', async () => {
	const expect_ = (record: {negatives: string[]}, where: string) => {
		expect(record.negatives, where).toHaveLength(2);
	};
	const path = put(
		'odd.jsonl',
		`${lines([{query: 'x', pos: 'p', teacher_scores: [0]}])}{"query":1}\n`,
	);
	const options = {teacherMin: 1, expect: expect_, expectKey: 'two'};
	await expect(openDataset([path], options)).rejects.toThrow(
		`${path}:2: expected "query" to be a string, got a number`,
	);
});

test('Lengths are characters of the query and of each positive', async () => {
	const path = put(
		'lengths.jsonl',
		lines([
			{query: 'four', pos: ['eight888', '😀😀😀😀'], neg: ['a very long negative']},
			{query: 'no', pos: 'eight888'},
			{query: 'four', pos: ['eight888', 'nine99999']},
		]),
	);
	const left = async (filterLength: string) => (await opened(path, {filterLength})).length;
	expect(await Promise.all(['4-8', '4-', '-8', '1-100', '2-9'].map(left))).toEqual([1, 2, 2, 3, 3]);
	await expect(openDataset([path], {filterLength: '50-'})).rejects.toThrow(
		'data: expected records, got none: all were left out',
	);
});

test.each(['', '-', 'x', '5', '9-2', '1-2-3', '-1-5', '1.5-3'])('"%s" is no range', text => {
	expect(() => rangeOf(text)).toThrow(expect.objectContaining({code: 'OPTION_RANGE'}));
});

test('Lines are named as they stand in the file whatever was left out before them', async () => {
	const text = lines([
		{query: 'a', pos: 'x'},
		{query: 'bbb', pos: 'yyy'},
		{query: 'ccc', pos: 'zzz'},
	]);
	const list = put('list.json', `[\n${text.trim().split('\n').join(',\n')}\n]\n`);
	for (const path of [put('lines.jsonl', text), list]) {
		const dataset = await opened(path, {filterLength: '2-'});
		const element = path === list ? ': element 3' : '';
		expect(await dataset.locate([1])).toEqual([`${path}:${path === list ? 4 : 3}${element}`]);
	}
});

test('A kept index belongs to its filters', async () => {
	const length = async (options: DatasetOptions) => {
		const dataset = await opened(scored, {keepIndexFrom: 0, ...options});
		return [dataset.length, dataset.warnings.some(text => text.includes('index read'))];
	};
	expect(await length({teacherMin: 2})).toEqual([3, false]);
	expect(await length({teacherMin: 2})).toEqual([3, true]);
	expect(await length({teacherMin: 3})).toEqual([2, false]);
	expect(await length({negativeOrder: undefined})).toEqual([4, false]);
});

test.skipIf(!existsSync(chat)).each([
	[{teacherMargin: 0.1}, 8],
	[{teacherMargin: 0.2}, 7],
	[{teacherMargin: 0.5}, 2],
	[{teacherMin: -2.5}, 3],
])('Of the eight chats of LLM-Embedder (shared data) %o keeps %d', async (filter, kept) => {
	expect(await opened(chat, {byTeacher: true, ...filter})).toHaveLength(kept);
});

test('Negatives by their teacher: the highest or the lowest scores, of equal ones the first', async () => {
	const path = put(
		'order.jsonl',
		lines([
			{
				query: 'a',
				pos: 'p',
				neg: ['n1', 'n2', 'n3', 'n4'],
				neg_ids: [1, 2, 3, 4],
				teacher_scores: [9, 1, 5, 1, 5],
			},
			{query: 'b', pos: 'q'},
		]),
	);
	const taken = async (negativeOrder: 'teacherTop' | 'teacherBottom') => {
		const dataset = await opened(path, {negativeOrder});
		const rows = await Rows.select(dataset, {negatives: 3, negativeChoice: negativeOrder});
		const [first, second] = await rows.read([0, 1], 0);
		expect(second!.negatives).toEqual([]);
		expect(new Set(rows.hashes(0, 0)).size).toBe(5);
		const {negatives, negativeIds, negativeScores} = first!;
		return [negatives.join(), negativeIds!.join(), negativeScores!.join()];
	};
	expect(await taken('teacherTop')).toEqual(['n2,n4,n1', '2,4,1', '5,5,1']);
	expect(await taken('teacherBottom')).toEqual(['n1,n3,n2', '1,3,2', '1,1,5']);
	const none = put('none.jsonl', lines([{query: 'a', pos: 'p', neg: ['n']}]));
	await expect(openDataset([none], {negativeOrder: 'teacherTop'})).rejects.toThrow(
		`${none}:1: expected "teacher_scores" of the negatives, by which to choose, got 0 scores`,
	);
});

test.skipIf(!existsSync(qa))(
	'Of 100 scored negatives (shared data) the seven of the ends are taken',
	async () => {
		const plain = await opened(qa);
		const [record] = await plain.records([0]);
		const scores = record!.negativeScores!;
		expect(scores).toHaveLength(100);
		const sorted = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]!);
		const best = sorted.slice(0, 7).map(n => record!.negatives[n]);
		const top = await Rows.select(await opened(qa, {negativeOrder: 'teacherTop'}), {negatives: 7});
		expect((await top.read([0], 0))[0]!.negatives).toEqual(best);
	},
);

test('At most so many records of each set: the first, the last, or a random choice', async () => {
	const a = `a=${put('a.jsonl', lines(distinct(100, 'a')))}`;
	const b = `b=${put('b.jsonl', lines(distinct(30, 'b')))}`;
	const taken = async (maxRowsChoice: 'first' | 'last' | 'random', seed = 0) => {
		const rows = await rowsIn([a, b], {maxRows: 50, maxRowsChoice, seed});
		expect(rows.messages).toEqual(['a: 50 of 100 records left out by max-rows']);
		expect([rows.used, rows.sets.map(({length}) => length)]).toEqual([80, [50, 30]]);
		const batches = await batchesIn(rows, {epoch: 0, batchSize: 16, order: 'file'});
		const used = numbers(80).map(n => rows.at(n));
		expect(batches.flat()).toEqual(used);
		expect(used.slice(50)).toEqual(numbers(30).map(n => 100 + n));
		return used.slice(0, 50);
	};
	expect(await taken('first')).toEqual(numbers(50));
	expect(await taken('last')).toEqual(numbers(50).map(n => 50 + n));
	const random = await taken('random', 1);
	expect(await taken('random', 1)).toEqual(random);
	expect(await taken('random', 2)).not.toEqual(random);
	expect(new Set(random).size).toBe(50);
	expect(Math.max(...random)).toBeGreaterThan(80);
});

test('A record counts with all its rows, and not when it is short of negatives', async () => {
	const data = numbers(9).map(n => ({
		query: `q${n}`,
		pos: [`p${n}`, `r${n}`],
		neg: n % 3 === 0 ? [] : [`n${n}`],
	}));
	const choice = {positives: 'each', negatives: 1, onShortage: 'drop', maxRows: 4} as const;
	const rows = await rowsIn([`s=${put('each.jsonl', lines(data))}`], choice);
	expect([rows.length, rows.short, rows.used]).toEqual([18, 6, 8]);
	expect(numbers(8).map(n => rows.record(rows.at(n)))).toEqual([1, 1, 2, 2, 4, 4, 5, 5]);
});

test('Records keep their place among all, over files and in an index that is kept', async () => {
	const texts = (letter: string) => [1, 30, 2, 40, 3].map(n => ({text: letter.repeat(n)}));
	const [a, b] = ['a', 'b'].map(letter => put(`places-${letter}.jsonl`, lines(texts(letter))));
	const options = {kind: 'text', filterLength: '-10', keepIndexFrom: 1} as const;
	for (const isKept of [false, true]) {
		const dataset = await openDataset([a!, b!], options);
		expect(dataset.warnings.some(text => text.includes('index read'))).toBe(isKept);
		expect(numbers(dataset.length).map(record => dataset.numberOf(record))).toEqual([
			0, 2, 4, 5, 7, 9,
		]);
		expect([dataset.length, dataset.all]).toEqual([6, 10]);
		await dataset.close();
	}
});
