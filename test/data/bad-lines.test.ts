// A bad line of every layout in a file of good ones: the error names file, line, field, what was expected
// and what was there.

import {describe, expect, test} from 'vitest';
import {type DatasetOptions, openDataset} from '../../dist/data/dataset.js';
import {temporaryFolder} from '../files/folder.js';

const {put} = temporaryFolder();
let count = 0;

interface Layout {
	/** A good line of it, which stands before the bad one and behind it. */
	good: unknown;
	options?: DatasetOptions;
	/** Lines and what is said of them. */
	bad: readonly (readonly [unknown, string])[];
}

const layouts: Readonly<Record<string, Layout>> = {
	'named fields, as of NeMo, open-retrievals, RAG-Retrieval, Intel, FlagEmbedding and LLM-Embedder':
		{
			good: {query: 'q', pos: ['p'], neg: ['n'], teacher_scores: [1, 2], task: 'qa'},
			bad: [
				[{query: 5, pos: 'p'}, '"query" to be a string, got a number'],
				[{query: ' ', pos: 'p'}, '"query" to hold a text, got an empty one'],
				[{query: 'q'}, 'a "positive", got only "query"'],
				[{pos: 'p'}, 'a "query", got only "pos"'],
				[{query: 'q', pos: []}, '"pos" to hold a text, got an empty array'],
				[{query: 'q', pos: ['a', 3]}, '"pos[1]" to be a string, got a number'],
				[{query: 'q', pos_doc: ''}, '"pos_doc" to hold a text, got an empty one'],
				[{query: 'q', pos: {a: 1}}, 'the text of "pos" to be a string, got nothing'],
				[{query: 'q', pos: 'p', neg: ['n', null]}, '"neg[1]" to be a string, got null'],
				[{query: 'q', pos: 'p', neg_doc: ['']}, '"neg_doc[0]" to hold a text, got an empty one'],
				[{query: 'q', pos: 'p', negative_1: 3}, '"negative_1" to be a string, got a number'],
				[
					{query: 'q', pos: ['p', 'r'], scores: [1]},
					'2 numbers in "scores", one for each text, got 1',
				],
				[{query: 'q', pos: ['p'], scores: ['a']}, '"scores[0]" to be a number, got "a"'],
				[
					{query: 'q', pos: ['p'], neg: ['n'], teacher_scores: [1]},
					'2 numbers in "teacher_scores", one for each text, got 1',
				],
				[{query: 'q', pos: 'p', score: 'high'}, '"score" to be a number, got "high"'],
				[{query: 'q', pos: 'p', label: []}, '"label" to be a number, got an array'],
				[
					{query: 'q', pos: 'p', prompt_for_query: 3},
					'"prompt_for_query" to be a string, got a number',
				],
				[{query: 'q', pos: 'p', answers: [3]}, '"answers[0]" to be a string, got a number'],
				[
					{query: 'q', pos: 'p', query_id: 1.5},
					'"query_id" to be a string or a whole number below 2^53, got 1.5',
				],
				[
					'{"query":"q","pos":"p","scores":[1e999]}',
					'"scores[0]" to be a finite number, got Infinity',
				],
				[
					'{"query":"q","query":"r","pos":"p"}',
					'every key once, got "query" twice; keep one of them',
				],
				['{"query":"q","pos":"p"', 'a whole JSON value, got other text (Expected '],
				[['q', 'p'], 'a record of the layout of '],
				[null, 'an object, got null'],
			],
		},
	'arrays by position': {
		good: ['q', 'p', 'n'],
		bad: [
			[['q'], '[query, positive, …], got an array of 1'],
			[[5, 'p'], '"[0]" to be a string, got a number'],
			[['q', ''], '"[1]" to hold a text, got an empty one'],
			[['q', 'p', null], '"[2]" to be a string, got null'],
			[['q', 'p', ['n', 4]], '"[2][1]" to be a string, got a number'],
			[['q', 'p', 'n', 3], '"[3]" to be a string, got a number'],
		],
	},
	DPR: {
		good: {question: 'q', positive_ctxs: [{title: 't', text: 'p'}]},
		bad: [
			[{question: 'q', positive_ctxs: []}, '"positive_ctxs" to hold a text, got an empty array'],
			[{question: 'q', positive_ctxs: 'p'}, '"positive_ctxs" to be an array, got a string'],
			[{positive_ctxs: [{text: 'p'}]}, 'a "query", got only "positive_ctxs"'],
			[
				{question: 'q', positive_ctxs: [{title: 't'}]},
				'the text of "positive_ctxs[0]" to be a string, got nothing',
			],
			[
				{question: 'q', positive_ctxs: [{text: 'p'}], hard_negative_ctxs: ['n']},
				'"hard_negative_ctxs[0]" to be an object, got a string',
			],
			[
				{question: 'q', positive_ctxs: [{text: 'p', passage_id: []}]},
				'"positive_ctxs[].passage_id" to be a string or a whole number below 2^53, got an array',
			],
		],
	},
	'lists to rank': {
		good: {query: 'q', hits: [{content: 'p', label: 1}]},
		bad: [
			[{query: 'q', hits: []}, '"hits" to hold one with a label above 0, got an empty array'],
			[
				{query: 'q', hits: [{content: 'p', label: 0}]},
				'"hits" to hold one with a label above 0, got 1 without one',
			],
			[{query: 'q', hits: 'p'}, '"hits" to be an array, got a string'],
			[{query: 'q', hits: [5]}, '"hits[0]" to be an object, got a number'],
			[{query: 'q', hits: [{label: 1}]}, '"hits[0].content" to be a string, got nothing'],
			[
				{query: 'q', hits: [{content: 'p', label: '1'}]},
				'"hits[0].label" to be a number, got a string',
			],
			[{hits: [{content: 'p', label: 1}]}, 'a "query", got only "hits"'],
		],
	},
	dialogues: {
		good: {query: 'q', history: ['a', 'b'], teacher_scores: [1, 2]},
		options: {byTeacher: true},
		bad: [
			[
				{query: 'q', history: ['a', 'b'], teacher_scores: [1]},
				'2 numbers in "teacher_scores", one for each text, got 1',
			],
			[
				{query: 'q', history: ['a', 'b']},
				'"teacher_scores" of all texts, by which to choose, got 0 scores',
			],
			[
				{query: 'q', history: ['a', ''], teacher_scores: [1, 2]},
				'"history[1]" to hold a text, got an empty one',
			],
			[
				{query: 'q', history: ['a', 3], teacher_scores: [1, 2]},
				'"history[1]" to be a string, got a number',
			],
			[{query: 'q', history: []}, 'a record of the layout of '],
		],
	},
	GritLM: {
		good: {query: ['i', 'q'], pos: [['i', 'p']]},
		bad: [
			[
				{query: ['i', 'q', 'r'], pos: [['i', 'p']]},
				'"query" to be [instruction, text], got ["i","q","r"]',
			],
			[{query: ['i', 'q'], pos: ['p']}, '"pos[0]" to be [instruction, text], got "p"'],
			[
				{query: ['i', 'q'], pos: [['i', 'p']], neg: [['i', 3]]},
				'"neg[0]" to be [instruction, text], got ["i",3]',
			],
			[{query: ['i', ''], pos: [['i', 'p']]}, '"query" to hold a text, got an empty one'],
			[{query: ['i', 'q'], pos: [['i', '']]}, '"pos[0]" to hold a text, got an empty one'],
			[{query: ['i', 'q']}, 'a "positive", got only "query"'],
		],
	},
	'single judgements': {
		good: {query: 'q', content: 'p', label: 1},
		bad: [
			[{query: 'q', content: 3, label: 1}, '"content" to be a string, got a number'],
			[{query: 'q', content: '', label: 1}, '"content" to hold a text, got an empty one'],
			[{query: 'q', content: ['p', 3]}, '"content[1]" to be a string, got a number'],
			[{query: 3, content: 'p'}, '"query" to be a string, got a number'],
			[{query: 'q', content: 'p', score: [1, 2]}, '1 number in "score", one for each text, got 2'],
		],
	},
	texts: {
		good: {text: 't', label: 1},
		options: {kind: 'text'},
		bad: [
			[{text: 3}, '"text" to be a string, got a number'],
			[{text: ' '}, '"text" to hold a text, got an empty one'],
			[{content: 5}, '"content" to be a string, got a number'],
			[{context: ['a', 3]}, '"context[1]" to be a string, got a number'],
			[{context: []}, '"context" to hold a text, got an empty one'],
			[{text: 't', label: {}}, '"label" to be a number, got an object'],
		],
	},
};

const cases = Object.entries(layouts).flatMap(([layout, {good, options = {}, bad}]) =>
	bad.map(([line, message]) => ({layout, good, options, line, message})),
);

const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** The message of the refusal of a file. */
async function refusalOf(path: string, options: DatasetOptions = {}): Promise<string> {
	const dataset = await openDataset([path], options).catch((error: Error) => error.message);
	if (typeof dataset === 'string') return dataset;
	await dataset.close();
	return 'no refusal';
}

describe('as JSON lines', () => {
	test.each(cases)('$layout: $line', async ({good, line, options, message}) => {
		const rows = [good, good, line, good].map(textOf).join('\n');
		const path = put(`${count++}.jsonl`, `${rows}\n`);
		const refusal = await refusalOf(path, options);
		expect(refusal).toContain(`${path}:3: expected ${message}`);
		expect(refusal).not.toContain('bad lines in all');
	});
});

describe('as elements of an array', () => {
	const whole = cases.filter(({line}) => typeof line === 'object' && line !== null);
	const ofRecords = whole.filter(({line}) => !Array.isArray(line) || line.length > 1);
	test.each(ofRecords)('$layout: $line', async ({good, line, options, message}) => {
		const path = put(`${count++}.json`, `[\n${[good, good, line, good].map(textOf).join(',\n')}]`);
		const refusal = await refusalOf(path, options);
		expect(refusal).toContain(`${path}:4: element 3: expected ${message}`);
	});
});

describe('tables', () => {
	test.each([
		['query,positive\nq,p\nq\n', ':3: expected 2 cells as in the header, got 1'],
		['query,positive\nq,p,r\n', ':2: expected 2 cells as in the header, got 3'],
		['query,positive\nq,p\n,p\n', ':3: expected a "query", got only "positive"'],
		['query,positive\nq,p\nq,\n', ':3: expected a "positive", got only "query"'],
		['query,positive,score\nq,p,1\nq,p,high\n', ':3: expected "score" to be a number, got "high"'],
		['query,positive\nq,"p"x\n', ':2: expected a separator after a closing quote, got "x"'],
		['query,positive\nq,p\nq,"p\n', ':3: expected a closing quote, got the end of the file'],
		['query\tpositive\nq\tp\tr\n', ':2: expected 2 cells as in the header, got 3'],
		['query\tpositive\nq\n', ':2: expected 2 cells as in the header, got 1'],
		['a q\ta p\nb q\tb p\nc q\n', ':3: expected 2 cells as in the first line, got 1'],
		['a q\ta p\nb q\tb p\nc q\t \n', ':3: expected "[1]" to hold a text, got an empty one'],
	])('%j', async (text, message) => {
		const path = put(`${count++}.table`, text);
		expect(await refusalOf(path)).toContain(`${path}${message}`);
	});
});

test('Of many bad lines the first five are quoted and all are counted', async () => {
	const rows = Array.from({length: 9}, (_, n) =>
		n % 3 === 0 ? '{"query":"q","pos":"p"}' : '{"query":1}',
	);
	const path = put('many.jsonl', `${rows.join('\n')}\n`);
	const refusal = await refusalOf(path);
	const said = '"query" to be a string, got a number';
	const others = [3, 5, 6, 8].map(line => `${path}:${line}: expected ${said}`).join('; ');
	expect(refusal).toBe(`${path}:2: expected ${said}; 6 bad lines in all, also ${others}`);
});
