import {cpSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {checkData} from '../../dist/check/check.js';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {readPromptTable} from '../../dist/train/prompt-table.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {bert, hashesOf, loadTiny, quick, rowsOf} from './tiny.js';

const {folder, put} = temporaryFolder();
const rows = rowsOf(8);

type Marked = {prompt?: string; task?: string};

/** The rows with fields beside them. */
const marked = (mark: (n: number) => Marked) => rows.map((row, n) => ({...row, ...mark(n)}));

/** The rows with what stands before their texts written into them. */
function written(query: (n: number) => string, document: (n: number) => string = () => '') {
	return rows.map((row, n) => ({
		query: query(n) + row.query,
		positive: document(n) + row.positive,
		negatives: row.negatives.map(text => document(n) + text),
	}));
}

/** The weights after a moment of training. */
async function weightsOf(options: Partial<TrainOptions>, path = bert) {
	const model = await loadTiny({path});
	await train(model, {...quick, data: rows, ...options});
	return hashesOf(model);
}

const table = put(
	'table.json',
	JSON.stringify({
		version: 'first',
		versions: {
			first: {
				sign: {query: 'sign of ', document: 'the sign '},
				age: {query: 'age of ', key: 'an age '},
			},
			second: {'*': {query: 'union '}},
		},
	}),
);

describe('prompts by task', () => {
	test('go by the task of each record, for its query and its documents', async () => {
		const tasks = ['sign', 'age'];
		const data = marked(n => ({task: tasks[n % 2]!}));
		const inText = written(
			n => ['sign of ', 'age of '][n % 2]!,
			n => ['the sign ', 'an age '][n % 2]!,
		);
		expect(await weightsOf({data, prompts: table})).toEqual(await weightsOf({data: inText}));
	});

	test('go by --task for records that name none', async () => {
		const data = marked(n => (n % 2 === 0 ? {} : {task: 'sign'}));
		const inText = written(
			n => ['age of ', 'sign of '][n % 2]!,
			n => ['an age ', 'the sign '][n % 2]!,
		);
		const asked = {data, prompts: table, task: 'age'};
		expect(await weightsOf(asked)).toEqual(await weightsOf({data: inText}));
	});

	test('come after the record and the options, and before the model', async () => {
		const own = join(folder, 'own');
		cpSync(bert, own, {recursive: true});
		const prompts = {query: 'company ', document: 'service '};
		writeFileSync(join(own, 'config_sentence_transformers.json'), JSON.stringify({prompts}));
		const data = marked(n => (n === 0 ? {prompt: 'this ', task: 'age'} : {task: 'age'}));
		const asked = {data, prompts: table, documentPrompt: 'pattern '};
		const inText = written(
			n => (n === 0 ? 'this ' : 'age of '),
			() => 'pattern ',
		);
		expect(await weightsOf(asked, own)).toEqual(await weightsOf({data: inText}));
		const ofModel = written(
			() => 'company ',
			() => 'service ',
		);
		expect(await weightsOf({}, own)).toEqual(await weightsOf({data: ofModel}));
	});

	test('have versions, and a task that stands for all', async () => {
		const asked = {
			data: marked(() => ({task: 'whatever'})),
			prompts: table,
			promptVersion: 'second',
		};
		expect(await weightsOf(asked)).toEqual(await weightsOf({data: written(() => 'union ')}));
	});

	test('put the text where {} stands, and never lose it', async () => {
		const data = rows.map(row => ({...row, query: `${row.query} {}`}));
		const inText = data.map(row => ({...row, query: `what is ${row.query} of age`}));
		expect(await weightsOf({data, queryPrompt: 'what is {} of age'})).toEqual(
			await weightsOf({data: inText}),
		);
	});

	test('refuse a record of a task that they do not know, by its line', async () => {
		const data = put('tasks.jsonl', `${JSON.stringify({...rows[0], task: 'tool'})}\n`);
		await expect(weightsOf({data, prompts: table})).rejects.toMatchObject({
			code: 'DATA_ROW',
			message: `${data}:1: expected a "task" of sign, age, got tool`,
		});
		const first = 'records:1: expected a "task" of sign, age, got none; give --task';
		await expect(weightsOf({prompts: table})).rejects.toThrow(first);
	});

	test.each([
		['a task without prompts', {task: 'age'}, 'OPTION_CONFLICT'],
		['a version without prompts', {promptVersion: 'first'}, 'OPTION_CONFLICT'],
		[
			'both literal prompts beside them',
			{prompts: table, queryPrompt: 'a', documentPrompt: 'b'},
			'OPTION_CONFLICT',
		],
		['an unknown task', {prompts: table, task: 'tool'}, 'OPTION_RANGE'],
		['an unknown version', {prompts: table, promptVersion: 'third'}, 'OPTION_RANGE'],
		['an unknown name', {prompts: 'nothing'}, 'FILE_NOT_FOUND'],
		['a file of no prompts', {prompts: put('no.json', '{"a": {"qurey": "b"}}')}, 'FILE_FORMAT'],
		['a file of other text', {prompts: put('text.json', 'query: a')}, 'FILE_FORMAT'],
	])('are refused for %s', async (_, options, code) => {
		await expect(weightsOf(options)).rejects.toMatchObject({code});
	});
});

test('The tables of LLM-Embedder are those of its source', async () => {
	const table = await readPromptTable('llm-embedder');
	expect(table.tasks).toEqual(['qa', 'convsearch', 'chat', 'lrlm', 'icl', 'tool']);
	expect(table.of('chat')).toEqual({
		query: 'Embed this dialogue to find useful historical dialogues: ',
		document: 'Embed this historical dialogue for retrieval: ',
	});
	expect((await readPromptTable('llm-embedder', 'instructor')).of('tool')).toEqual({
		query: 'Represent the user request for retrieving duplicate examples: ',
		document: 'Represent the tool description for retrieval: ',
	});
	expect((await readPromptTable('llm-embedder', 'bge')).of('icl')).toEqual({
		query: 'Represent this sentence for searching relevant passages: ',
		document: '',
	});
	expect((await readPromptTable('nemo')).of(undefined)).toEqual({
		query: 'query: ',
		document: 'passage: ',
	});
	expect((await readPromptTable('rag-retrieval')).of('any')?.query).toBe(
		'Instruct: Given a user query, retrieve documents helpful for answering the query\nQuery: ',
	);
});

describe('prompts that are left out of pooling', () => {
	const prompts = {queryPrompt: 'what is ', documentPrompt: 'the '};

	test('train as a folder does that says so, and are said by the folder of the result', async () => {
		const saying = join(folder, 'saying');
		await (await loadTiny()).save(saying);
		const path = join(saying, '1_Pooling', 'config.json');
		const config = JSON.parse(readFileSync(path, 'utf8')) as object;
		writeFileSync(path, JSON.stringify({...config, include_prompt: false}));
		const asked = await weightsOf({...prompts, excludePrompt: true});
		expect(asked).toEqual(await weightsOf(prompts, saying));
		expect(asked).not.toEqual(await weightsOf(prompts));
		const output = join(folder, 'excluded');
		const model = await loadTiny();
		await train(model, {...quick, ...prompts, excludePrompt: true, output});
		const saved = JSON.parse(readFileSync(join(output, '1_Pooling', 'config.json'), 'utf8'));
		expect(saved).toMatchObject({include_prompt: false});
		const again = await EmbeddingModel.load(output);
		const options = {promptText: 'what is '};
		const both = await Promise.all([model, again].map(each => each.encode(['age'], options)));
		expect(both[1]!.data).toEqual(both[0]!.data);
		await again.dispose();
	});

	test('are refused where pooling takes one token alone', async () => {
		const model = await loadTiny({pooling: 'cls'});
		const training = train(model, {...quick, ...prompts, excludePrompt: true});
		await expect(training).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
	});
});

test('Records of several tasks are checked against the table before a run', async () => {
	const data = marked(n => ({task: n === 3 ? 'tool' : 'sign'}));
	const report = await checkData(data, {prompts: table});
	expect(report).toMatchObject({brokenLines: 1, brokenByField: {task: 1}, tasks: {sign: 7}});
});
