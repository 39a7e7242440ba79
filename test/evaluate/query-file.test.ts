// Files of queries beside a corpus: what is read, what is refused, and how answers are counted.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {answerCutoffs, answerMetrics, wordsOf} from '../../dist/evaluate/answers.js';
import {queryFileKind, readQueryFile} from '../../dist/evaluate/query-file.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-query-file-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const put = (name: string, rows: readonly object[]) => {
	const path = join(folder, name);
	writeFileSync(path, rows.map(row => JSON.stringify(row)).join('\n'));
	return path;
};

const corpus = put('corpus.json', [
	{title: 'T', text: 'zero'},
	{title: '', text: 'one', more: 'x'},
	{text: 'two'},
]);

async function textsOf(documents: AsyncIterable<{id: string; text: string}>) {
	const texts: [id: string, text: string][] = [];
	for await (const {id, text} of documents) texts.push([id, text]);
	return texts;
}

test('Places are lines of the corpus, ids are kept or are the lines, queries of neither are counted', async () => {
	const path = put('places.json', [
		{query: 'a', query_id: 'q7', pos_index: [2, 0], task: 'tool'},
		{query: 'b', query_id: 5, pos_index: [1]},
		{query: 'c', pos_index: []},
		{query: 'd', pos_index: [0], answers: ['x']},
	]);
	const set = await readQueryFile(path, {corpus});
	expect(set.queries).toEqual([
		{id: 'q7', text: 'a'},
		{id: '5', text: 'b'},
		{id: '3', text: 'd'},
	]);
	expect([...set.judgements.get('q7')!.keys()]).toEqual(['2', '0']);
	expect(set).toMatchObject({queriesWithoutJudgements: 1, documentIds: ['0', '1', '2']});
	expect([...set.answers!]).toEqual([['3', ['x']]]);
	const texts = [
		['0', 'T zero'],
		['1', 'one'],
		['2', 'two'],
	];
	expect(await textsOf(set.documents)).toEqual(texts);
	expect(await textsOf(set.documents)).toEqual(texts);
	expect(await queryFileKind(path)).toEqual({holds: 'documents', task: 'tool'});
});

test('A template is filled in with columns, whatever stands in them', async () => {
	const odd = put('odd.json', [{name: '$& {text}', text: 'b'}]);
	const path = put('one.json', [{query: 'a', answers: ['b']}]);
	const set = await readQueryFile(path, {corpus: odd, template: '{name}: {text}'});
	expect(await textsOf(set.documents)).toEqual([['0', '$& {text}: b']]);
	expect(await queryFileKind(path)).toEqual({holds: 'answers', task: undefined});
});

test('Scored pairs are no queries', async () => {
	const path = put('pairs.json', [{sentence1: 'a', sentence2: 'b', score: 1}]);
	expect(await queryFileKind(path)).toBeUndefined();
});

describe('refused by its line', () => {
	test.each([
		[{query: 'a', pos_index: [3]}, /rows\.json:1: expected "pos_index" to be lines .* 0 to 2/],
		[{query: 'a', pos_index: [0.5]}, /"pos_index" .* got \[0\.5\]/],
		[{query: 'a', pos_index: 1}, /"pos_index" .* got 1/],
		[{query: 'a', answers: 'x'}, /"answers" to be an array of strings/],
		[{pos_index: [1]}, /expected "query" to be a string/],
		[{query: 'a', query_id: 1.5, pos_index: [1]}, /"query_id" to be a string or a whole number/],
		[{query: 'a', pos_index: []}, /expected queries with pos_index or answers, got none/],
	])('%j', async (row, message) => {
		await expect(readQueryFile(put('rows.json', [row]), {corpus})).rejects.toThrow(message);
	});

	test('an id that stands for two queries, a missing column, a template without any', async () => {
		const row = {query: 'a', query_id: 1, pos_index: [1]};
		const twice = put('twice.json', [row, row]);
		await expect(readQueryFile(twice, {corpus})).rejects.toThrow(/twice\.json:2: .* got 1 again/);
		const once = put('once.json', [row]);
		const titled = readQueryFile(once, {corpus, template: '{title} {text}'});
		await expect(titled).rejects.toThrow(/corpus\.json:3: expected "title" to be a string/);
		const bare = readQueryFile(once, {corpus, template: 'text'});
		await expect(bare).rejects.toThrow(/expected columns in braces/);
	});
});

describe('an answer', () => {
	const found = async (text: string, answers: string[]) => {
		const documents = (async function* () {
			yield {id: 'd', text};
		})();
		const set = {documents, answers: new Map([['q', answers]])};
		const metrics = await answerMetrics(set, [['q', [['d', 1]]]]);
		return metrics.get('q')!['answers@1'];
	};

	// The rule of the evaluation of Natural Questions.
	test.each([
		['Henry IV of France', 'iv', 1],
		['the party', 'art', 0],
		['Beyoncé Knowles', 'Beyonce', 0],
		['Beyonce\u0301 Knowles', 'Beyonc\u00e9', 1],
		['in New\nYork, 1999', 'new york', 1],
		['New big York', 'new york', 0],
		['it cost $5.00', '$5.00', 1],
		['no answer', '', 1],
	])('in %j of %j counts %i', async (text, answer, count) => {
		expect(await found(text, ['zzz', answer])).toBe(count);
	});

	test('is made of words and signs in lower case', () => {
		expect(wordsOf('A-b  c\u200b1é!')).toEqual(['a', '-', 'b', 'c', '1e\u0301', '!']);
	});

	test('counts from the first document that holds it, of a hundred', async () => {
		const rank = (n: number) => [`d${n}`, -n] as const;
		const all = Array.from({length: 150}, (_, n) => rank(n));
		const holding = (n: number) => ({
			answers: new Map([['q', ['x']]]),
			documents: (async function* () {
				for (const at of [120, n]) yield {id: `d${at}`, text: 'x'};
			})(),
		});
		const at = async (n: number) => {
			const metrics = (await answerMetrics(holding(n), [['q', all]])).get('q')!;
			return answerCutoffs.map(k => metrics[`answers@${k}`]);
		};
		expect(await at(0)).toEqual([1, 1, 1, 1, 1]);
		expect(await at(4)).toEqual([0, 1, 1, 1, 1]);
		expect(await at(5)).toEqual([0, 0, 1, 1, 1]);
		expect(await at(99)).toEqual([0, 0, 0, 0, 1]);
		expect(await at(100)).toEqual([0, 0, 0, 0, 0]);
	});
});
