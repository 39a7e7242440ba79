import {existsSync, readFileSync} from 'node:fs';
import {join, resolve} from 'node:path';
import {expect, onTestFinished, test} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {mapOf, namesGiven} from '../../dist/data/fields.js';
import {parseRecord} from '../../dist/data/record.js';
import {temporaryFolder} from '../files/folder.js';

const {put} = temporaryFolder();
const examples = resolve(process.env.INBATCH_SHARED ?? '../shared', 'data', 'seed_examples');
const read = (value: unknown, rule = {}) => parseRecord(value, 'a.jsonl:7', rule);

test('NeMo: one positive, negatives in a list or one alone', () => {
	const {record} = read({query: 'q', pos_doc: 'p', neg_doc: 'n', query_id: 'q1', doc_id: 'd1'});
	const ids = {queryId: 'q1', positiveIds: ['d1']};
	expect(record).toEqual({query: 'q', positives: ['p'], negatives: ['n'], ...ids});
	expect(read({question: 'q', pos_doc: 'p', neg_doc: ['n', 'm']}).record.negatives).toEqual([
		'n',
		'm',
	]);
});

test('RAG-Retrieval: a prompt, and a score for each positive', () => {
	const {record} = read({query: 'q', pos: ['a', 'b'], scores: [0.8, 0.2], prompt_for_query: 'P: '});
	expect(record).toMatchObject({positives: ['a', 'b'], positiveScores: [0.8, 0.2], prompt: 'P: '});
});

test('RAG-Retrieval: single judgements and lists to rank', () => {
	const texts = {query: 'q', positives: ['p'], negatives: []};
	expect(read({query: 'q', content: 'p', label: 0}).record).toEqual({...texts, label: 0});
	expect(read({query: 'q', content: 'p', score: 0.7}).record).toEqual({...texts, score: 0.7});
	const hits = [
		{content: 'bad', label: 0},
		{content: 'good', label: 2},
		{content: 'fair', label: 1},
	];
	expect(read({query: 'q', hits}).record).toEqual({
		query: 'q',
		positives: ['good', 'fair'],
		negatives: ['bad'],
		positiveScores: [2, 1],
		negativeScores: [0],
	});
});

test('LLM-Embedder: task, indices, answers and the scores of a teacher', () => {
	const value = {
		query: 'q',
		query_id: 7,
		pos: ['p'],
		neg: ['n', 'm'],
		pos_index: [54386775],
		neg_index: [1, 2],
		teacher_scores: [4.96, -1, 0.5],
		answers: 'yes',
		task: 'qa',
		key: ['c', 'd'],
		key_index: [3, 4],
	};
	expect(read(value)).toEqual({
		record: {
			query: 'q',
			queryId: '7',
			positives: ['p'],
			negatives: ['n', 'm'],
			positiveIds: ['54386775'],
			negativeIds: ['1', '2'],
			positiveScores: [4.96],
			negativeScores: [-1, 0.5],
			answers: ['yes'],
			task: 'qa',
			candidates: ['c', 'd'],
			candidateIds: ['3', '4'],
		},
		unknownFields: [],
	});
});

const dialogue = {query: 'q', history: ['a', 'b', 'c'], teacher_scores: [-3, 2, 2], task: 'chat'};

test('LLM-Embedder: the teacher chooses among the turns of a dialogue, the first of equals', () => {
	expect(read(dialogue, {byTeacher: true}).record).toEqual({
		query: 'q',
		positives: ['b'],
		negatives: ['a', 'c'],
		positiveScores: [2],
		negativeScores: [-3, 2],
		history: ['a', 'b', 'c'],
		task: 'chat',
	});
	const ids = {pos_index: [1], neg_index: [2, 3]};
	const value = {query: 'q', pos: 'p', neg: ['n', 'm'], teacher_scores: [1, 0, 5], ...ids};
	expect(read(value, {byTeacher: true}).record).toMatchObject({
		positives: ['m'],
		positiveIds: ['3'],
		positiveScores: [5],
	});
	expect(read({...value, teacher_scores: [9, 0, 5]}, {byTeacher: true}).record).toMatchObject({
		positives: ['p'],
		negatives: ['n', 'm'],
		positiveIds: ['1'],
	});
});

test('LLM-Embedder: the teacher chooses among the positives alone', () => {
	const value = {query: 'q', pos: ['p', 'o'], neg: ['n'], teacher_scores: [1, 2, 5]};
	expect(read(value, {byTeacher: 'positives'}).record).toMatchObject({
		...{positives: ['o'], positiveScores: [2], negatives: ['n'], negativeScores: [5]},
	});
	expect(() => read(dialogue, {byTeacher: 'positives'})).toThrow(/only texts with/);
});

test('DPR: contexts with titles and ids, hard negatives before the others', () => {
	const context = (id: number) => ({title: `T${id}`, text: `t${id}`, passage_id: id, score: 1});
	const value = {
		question: 'q',
		answers: ['a'],
		positive_ctxs: [context(1)],
		negative_ctxs: [context(2)],
		hard_negative_ctxs: [context(3), {...context(4), title: ''}],
	};
	const {record, unknownFields} = read(value);
	expect(record).toEqual({
		query: 'q',
		positives: ['T1 t1'],
		negatives: ['T3 t3', 't4', 'T2 t2'],
		positiveIds: ['1'],
		negativeIds: ['3', '4', '2'],
		answers: ['a'],
	});
	expect(unknownFields.sort()).toEqual([
		'hard_negative_ctxs[].score',
		'negative_ctxs[].score',
		'positive_ctxs[].score',
	]);
});

test('GritLM: instructions become the prompt and the begin of documents', () => {
	const value = {
		query: ['Find:', 'q'],
		pos: [['', 'p']],
		neg: [
			['Doc: ', 'n'],
			['', 'm'],
		],
	};
	expect(read(value).record).toEqual({
		query: 'q',
		prompt: 'Find: ',
		positives: ['p'],
		negatives: ['Doc: n', 'm'],
	});
});

test('sentence-transformers: columns by name, with a score or a label', () => {
	const {record} = read({anchor: 'q', positive: 'p', negative_2: 'm', negative_1: 'n'});
	expect(record).toEqual({query: 'q', positives: ['p'], negatives: ['n', 'm']});
	expect(read({sentence1: 'a', sentence2: 'b', score: 0.5}).record.score).toBe(0.5);
	expect(read({sentence1: 'a', sentence2: 'b', label: 1}).record.label).toBe(1);
});

test.each<[object, string]>([
	[{text: 't', label: 3}, 't'],
	[{content: 't'}, 't'],
	[{context: ['t']}, 't'],
	[{text: ['t', 'u']}, 't\nu'],
])('%j is a text where texts are meant, and no pair', (value, text) => {
	expect(read(value, {kind: 'text'}).record.query).toBe(text);
	expect(() => read(value)).toThrow('a.jsonl:7: expected a "query", got only');
});

test.each<[unknown, string]>([
	[{question: 'q', positive_ctxs: 'p'}, '"positive_ctxs" to be an array, got a string'],
	[{question: 'q', positive_ctxs: []}, '"positive_ctxs" to hold a text, got an empty array'],
	[{question: 'q', positive_ctxs: ['p']}, '"positive_ctxs[0]" to be an object, got a string'],
	[
		{question: 'q', positive_ctxs: [{title: 'T'}]},
		'the text of "positive_ctxs[0]" to be a string, got nothing',
	],
	[
		{question: 'q', positive_ctxs: [{text: ' '}]},
		'the text of "positive_ctxs[0]" to hold a text, got an empty one',
	],
	[{query: 'q', hits: {}}, '"hits" to be an array, got an object'],
	[{query: 'q', hits: [{content: 5, label: 1}]}, '"hits[0].content" to be a string, got a number'],
	[{query: 'q', hits: [{content: 'c'}]}, '"hits[0].label" to be a number, got nothing'],
	[
		{query: 'q', hits: [{content: 'c', label: 0}]},
		'"hits" to hold one with a label above 0, got 1 without one',
	],
	[{hits: [{content: 'c', label: 1}]}, 'a "query", got only "hits"'],
	[
		dialogue,
		'a "positive", got only texts with "teacher_scores"; use --positives teacher to take the one of the highest score',
	],
	[{query: ['i', 'q'], pos: ['p']}, '"pos[0]" to be [instruction, text], got "p"'],
	[{query: ['i', ' '], pos: [['', 'p']]}, '"query" to hold a text, got an empty one'],
	[{query: 'q', content: ''}, '"content" to hold a text, got an empty one'],
	[{query: 'q', content: ['p', ['x']]}, '"content[1]" to be a string, got an array'],
	[{query: 'q', pos: 'p', answers: [1]}, '"answers[0]" to be a string, got a number'],
	[{query: 'q', pos: 'p', task: 1}, '"task" to be a string, got a number'],
	[
		{query: 'q', pos: 'p', neg: 'n', teacher_scores: [1]},
		'2 numbers in "teacher_scores", one for each text, got 1',
	],
])('%j is refused by its field', (value, message) => {
	expect(() => read(value)).toThrow(
		expect.objectContaining({code: 'DATA_ROW', message: `a.jsonl:7: expected ${message}`}),
	);
});

test('Without scores of all texts a teacher chooses nothing', () => {
	const message = 'expected "teacher_scores" of all texts, by which to choose, got 0 scores';
	expect(() => read({query: 'q', pos: 'p'}, {byTeacher: true})).toThrow(message);
});

test('Names of a user come first, and theirs alone will do', () => {
	const names = namesGiven({query: 'title', pos: 'body'});
	const value = {title: 'q', body: 'p', query: 'x', neg: 'n'};
	expect(read(value, {names})).toEqual({
		record: {query: 'q', positives: ['p'], negatives: ['n']},
		unknownFields: ['query'],
	});
	expect(() => read({query: 'q', body: 'p'}, {names})).toThrow(
		'a.jsonl:7: expected a "title", as the map of names says, got only "query", "body"',
	);
});

test('A map is a list of field=name or an object', () => {
	expect(mapOf(['query=a=b', 'pos=c'])).toEqual({query: 'a=b', pos: 'c'});
	expect(mapOf({query: 'a'})).toEqual({query: 'a'});
});

test.each<[string[], string, RegExp]>([
	[['query'], 'OPTION_TYPE', /^map: expected field=name, got "query"$/],
	[['query=a', 'query=b'], 'OPTION_CONFLICT', /query twice$/],
	[['query=a', 'anchor=b'], 'OPTION_CONFLICT', /anchor=b beside another$/],
	[['query=a', 'positive=a'], 'OPTION_CONFLICT', /positive=a beside another$/],
	[['qurey=a'], 'OPTION_RANGE', /^map: expected a field, such as query, got "qurey"$/],
])('The map %j is refused', (list, code, message) => {
	expect(() => namesGiven(mapOf(list))).toThrow(
		expect.objectContaining({code, message: expect.stringMatching(message)}),
	);
});

test('A mapped file is the renamed file', async () => {
	const rows = [{title: 'q', body: 'p', hard: ['n']}];
	const path = put('mapped.jsonl', rows.map(row => JSON.stringify(row)).join('\n'));
	const map = {query: 'title', positive: 'body', negatives: 'hard'};
	const dataset = await openDataset([path], {map});
	onTestFinished(() => dataset.close());
	expect(dataset.warnings).toEqual([]);
	expect(await dataset.records([0])).toEqual([{query: 'q', positives: ['p'], negatives: ['n']}]);
	await expect(openDataset([path], {map: {...map, label: 'class'}})).rejects.toMatchObject({
		code: 'DATA_ROW',
		message: 'map: expected records with a field "class", got none in any file',
	});
});

test('Two layouts in one file are refused by the line where the second begins', async () => {
	const path = put('mixed.jsonl', '{"query":"q","pos":"p"}\n{"query":"q","hits":[]}\n["a","b"]\n');
	const opening = openDataset([path]);
	await expect(opening).rejects.toMatchObject({
		code: 'DATA_ROW',
		message:
			`${path}:2: expected a record of the layout of ${path}:1 (named fields), got another ` +
			'(RAG-Retrieval, with "hits"); put them into files of their own; 2 bad lines in all, also ' +
			`${path}:3: expected a record of the layout of ${path}:1 (named fields), got another ` +
			'(arrays [query, positive, …]); put them into files of their own',
	});
});

test.each<[string, string, RegExp]>([
	['lines', '{"query":"q","pos":"p"}\n{"query":"q","po', /:2: expected a whole JSON value, got/],
	[
		'an array',
		'[{"query":"q","pos":"p"},\n{"query":"q","po',
		/:2: expected the end of the element/,
	],
	['CSV', 'query,positive\na,b\n"c,d', /:3: expected a closing quote, got the end of the file$/],
	['TSV', 'query\tpositive\na\tb\nc', /:3: expected 2 cells as in the header, got 1$/],
	['texts at tabs', 'what is\tit is\nwho was\tshe\nwho', /:3: expected 2 cells as in the first/],
])('A last line of %s that is half written is named by its line', async (name, text, message) => {
	await expect(openDataset([put(`half ${name}`, text)])).rejects.toThrow(message);
});

test.each<[string, string]>([
	['lines', '{"query":"ü","pos":"p","query_id":7}\r\n'],
	['an array', '[{"query":"ü","pos":"p","query_id":7}]'],
	['CSV', 'query,pos,query_id\r\nü,p,7\r\n'],
	['TSV', 'query\tpos\tquery_id\nü\tp\t7'],
])('A byte order mark before %s is no error, and ids may be numbers', async (name, text) => {
	const dataset = await openDataset([put(`mark ${name}`, `\uFEFF${text}`)]);
	onTestFinished(() => dataset.close());
	const record = {query: 'ü', queryId: '7', positives: ['p'], negatives: []};
	expect(await dataset.records([0])).toEqual([record]);
});

type Row = Record<string, unknown[]>;
type Counts = [records: number, positives: number, negatives: number];

/** Counts by another reader: whole files, no layouts. */
function counted(path: string, count: (row: Row) => [number, number]): Counts {
	const text = readFileSync(join(examples, path), 'utf8');
	const rows: Row[] = text.startsWith('[')
		? JSON.parse(text)
		: text.split('\n').flatMap(line => (line.trim() === '' ? [] : [JSON.parse(line)]));
	const sum = (place: 0 | 1) => rows.reduce((total, row) => total + count(row)[place], 0);
	return [rows.length, sum(0), sum(1)];
}

const lists = (row: Row): [number, number] => [row['pos']!.length, row['neg']?.length ?? 0];
const single = (): [number, number] => [1, 0];
const none = (): [number, number] => [0, 0];
const labelled = (row: Row): [number, number] => {
	const labels = (row['hits'] as {label: number}[]).map(({label}) => label);
	return [labels.filter(label => label > 0).length, labels.filter(label => label === 0).length];
};
const contexts = (row: Row): [number, number] => [
	row['positive_ctxs']!.length,
	row['negative_ctxs']!.length + row['hard_negative_ctxs']!.length,
];

const flag = 'flagembedding/';
const embedder = `${flag}embedder/example_data/`;

test.skipIf(!existsSync(examples)).each<[string, (row: Row) => [number, number], object?]>([
	['rag-retrieval/lmsft.jsonl', lists],
	['rag-retrieval/t2rank_100.jsonl', lists],
	['rag-retrieval/t2rank_100.small.jsonl', lists],
	['rag-retrieval/t2rank_100.distill.head.jsonl', single],
	['rag-retrieval/t2rank_100.distill.standard.head.jsonl', lists],
	['rag-retrieval/pointwise_reranker_eval_data.jsonl', single],
	['rag-retrieval/grouped_reranker_eval_data.jsonl', labelled],
	['itrex_embedding_finetune/example.jsonl', lists],
	['itrex_embedding_finetune/augmented_example.jsonl', lists],
	['itrex_embedding_finetune/candidate_context.jsonl', none, {kind: 'text'}],
	[`${embedder}retrieval/msmarco.jsonl`, lists],
	[`${embedder}retrieval/nli.jsonl`, lists],
	[`${embedder}retrieval/nq.jsonl`, lists],
	[`${embedder}sts/sts.jsonl`, lists],
	[`${embedder}classification-no_in_batch_neg/AmazonClassification.jsonl`, lists],
	[`${embedder}classification-no_in_batch_neg/Banking77Classification.jsonl`, lists],
	[`${embedder}clustering-no_in_batch_neg/arXiv_title.jsonl`, lists],
	[`${embedder}clustering-no_in_batch_neg/bioRXiv_title.jsonl`, lists],
	[`${flag}reranker/example_data/normal/examples.jsonl`, lists],
	[`${flag}reranker/example_data/prompt_based/examples.jsonl`, lists],
	[`${flag}unified_finetune/toy_train_data1.jsonl`, lists],
	[`${flag}unified_finetune/toy_train_data2.jsonl`, lists],
	[`${flag}llara/toy_finetune_data.jsonl`, lists],
	[`${flag}llm_reranker/toy_finetune_data.jsonl`, lists],
	[`${flag}toy_finetune_data.jsonl`, lists],
	[`${flag}toy_pretrain_data.jsonl`, none, {kind: 'text'}],
	[`${flag}toy_evaluation_data/toy_query.json`, row => [row['positive']!.length, 0]],
	[`${flag}toy_evaluation_data/toy_corpus.json`, none, {kind: 'text'}],
	[`${flag}llm_embedder_toy/qa.json`, lists],
	[`${flag}llm_embedder_toy/icl.json`, lists],
	[`${flag}llm_embedder_toy/chat.json`, row => [1, row['history']!.length - 1], {byTeacher: true}],
	['gritlm/toy_data/toy_data_embedding.jsonl', lists],
	['gritlm/toy_data/toy_data_generative.jsonl', none, {kind: 'text'}],
	['gritlm/toy_data_instruct/toy_data_embedding.jsonl', lists],
	['gritlm/toy_data_instruct/toy_data_generative.jsonl', none, {kind: 'text'}],
	['dpr_format/nq_dev_sample.json', contexts],
])('%s is read as another reader counts it (needs the shared data)', async (path, count, rule) => {
	const dataset = await openDataset([join(examples, path)], rule);
	onTestFinished(() => dataset.close());
	const records = Array.from({length: dataset.length}, (_, record) => record);
	const sum = (counts: number[]) => counts.reduce((total, each) => total + each, 0);
	expect([
		dataset.length,
		sum(records.map(record => dataset.supply(record).positives)),
		sum(records.map(record => dataset.supply(record).negatives)),
	]).toEqual(counted(path, count));
});

test.skipIf(!existsSync(examples))(
	"The teacher's choice among the dialogues of LLM-Embedder (needs the shared data)",
	async () => {
		const path = join(examples, `${flag}llm_embedder_toy/chat.json`);
		const dataset = await openDataset([path], {byTeacher: true});
		onTestFinished(() => dataset.close());
		const records = await dataset.records([0, 1, 2, 3, 4, 5, 6, 7]);
		const chosen = records.map(({history, positives}) => history!.indexOf(positives[0]!));
		expect(records.map(({history}) => history!.length)).toEqual([7, 8, 9, 10, 11, 12, 8, 9]);
		expect(chosen).toEqual([1, 7, 1, 9, 10, 10, 4, 6]);
	},
);
