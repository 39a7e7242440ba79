// Evaluation in training by files of queries and a corpus: the same numbers as a retrieval folder of the
// same texts, with the prompts of their task.

import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {evaluate} from '../../dist/evaluate/evaluate.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {lines, loadTiny, rowsOf} from './tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-evaluated-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const at = (name: string) => join(folder, name);
const put = (name: string, text: string) => {
	writeFileSync(at(name), text);
	return at(name);
};

const rows = rowsOf(24);
const corpus = put('corpus.json', lines(rows.map(({positive: text}) => ({text, title: 'the'}))));
const found = rows.slice(0, 8).map(({query}, n) => ({query, query_id: n, pos_index: [n, n + 1]}));
const questions = put('questions.json', lines(found.map(row => ({...row, task: 'qa'}))));
const asked = rows.slice(0, 8).map(({query}, n) => ({query, answers: [`age ${7 * n}`]}));
const answers = put('answers.json', lines(asked));

mkdirSync(at('beir'));
put(
	'beir/corpus.jsonl',
	lines(rows.map(({positive: text}, n) => ({_id: `${n}`, text, title: 'the'}))),
);
put(
	'beir/queries.jsonl',
	lines(found.map(({query: text, query_id}) => ({_id: `${query_id}`, text}))),
);
const grades = found.flatMap(({query_id: id}) => [`${id}\t${id}\t1\n`, `${id}\t${id + 1}\t1\n`]);
put('beir/qrels.tsv', `query-id\tcorpus-id\tscore\n${grades.join('')}`);

const task = {query: 'what is the sign of', document: 'service'};
const prompts = put('prompts.json', JSON.stringify({'*': {query: '', document: ''}, qa: task}));

async function scoresOf(options: Partial<TrainOptions>) {
	const model = await loadTiny();
	const result = await train(model, {
		data: rows,
		steps: 1,
		batchSize: 8,
		warmupSteps: 0,
		...options,
	});
	return {scores: result.evaluation, model};
}

test('Queries with places are evaluated as a folder is, before and after', async () => {
	const options = {eval: [`file=${questions}`, `folder=${at('beir')}`], evalCorpus: corpus};
	const {scores} = await scoresOf(options);
	expect(scores.before['file']).toEqual(scores.before['folder']);
	expect(scores.after['file']).toEqual(scores.after['folder']);
	expect(scores.before['file']!['ndcg@10']).toBeGreaterThan(0);
});

test('They get the prompts of the task of the first record', async () => {
	const {scores, model} = await scoresOf({
		...{eval: [`file=${questions}`, `folder=${at('beir')}`], evalCorpus: corpus},
		...{prompts, data: rows.map(row => ({...row, task: 'other'}))},
	});
	const {results} = await evaluate(model, {
		...{retrieval: at('beir'), queryPrompt: task.query, documentPrompt: task.document},
	});
	expect(scores.after['file']).toEqual(results[0]!.metrics);
	expect(scores.after['file']).not.toEqual(scores.after['folder']);
});

test('Answers can decide which checkpoint is the best', async () => {
	const output = at('run');
	const {scores} = await scoresOf({
		...{eval: [`nq=${answers}`], evalCorpus: corpus, evalTemplate: '{text}', output},
		...{metric: 'nq/answers@10', saveBest: true, saveSteps: 1, evalSteps: 1, steps: 2},
	});
	const names = [1, 5, 10, 20, 100].map(k => `answers@${k}`);
	expect(Object.keys(scores.after['nq']!)).toEqual(names);
	// All documents are among a hundred.
	expect(scores.after['nq']!['answers@100']).toBe(1);
	const log = readFileSync(join(output, 'metrics.jsonl'), 'utf8');
	expect(log).toContain('"evaluation":{"nq":{"answers@1"');
});

describe('refused', () => {
	const pairs = put('pairs.jsonl', lines([{sentence1: 'a', sentence2: 'b', score: 1}]));
	const cases: [Partial<TrainOptions>, RegExp][] = [
		[{eval: questions}, /expected --eval-corpus beside the queries of .*questions\.json/],
		[{eval: pairs, evalCorpus: corpus}, /eval-corpus: expected a file of queries/],
		[{eval: at('beir'), evalTemplate: '{text}'}, /eval-template: expected --eval-corpus/],
		[{eval: `q=${answers}`, evalCorpus: corpus, metric: 'q/ndcg@10', saveBest: true}, /answers@10/],
	];

	test.each(cases)('%j', async (options, message) => {
		await expect(scoresOf({...options, output: at('none')})).rejects.toThrow(message);
	});
});
