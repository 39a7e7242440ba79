// How words of other systems' command lines are read: flags, overrides, files, our own among them.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {readFlags} from '../../dist/presets/flags.js';
import {readOverrides} from '../../dist/presets/overrides.js';
import type {Preset} from '../../dist/presets/table.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-reading-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const put = (name: string, text: string) => {
	writeFileSync(join(folder, name), text);
	return join(folder, name);
};

const own = new Map([
	['--threads', {takesValue: true, isVariadic: false}],
	['--eval', {takesValue: true, isVariadic: true}],
	['--json', {takesValue: false, isVariadic: false}],
	['--tensorboard', {takesValue: true, isVariadic: false, isOptional: true}],
]);

const system: Preset = {
	name: 'system',
	title: 'the system',
	dialect: 'flags',
	names: {model: 'm', data: 'd', output: 'o'},
	programs: [],
	configFlag: 'config',
	configName: 'standard',
	options: {
		config: {kind: 'text'},
		learning_rate: {kind: 'number', default: 5e-5, aliases: ['lr']},
		fp16: {kind: 'boolean', default: false},
		normalized: {kind: 'boolean', default: true},
		train_data: {kind: 'list'},
		query_instruction: {kind: 'text'},
		'model.seed': {kind: 'number', default: 1234, nullable: true},
		'model.files': {kind: 'list'},
		'model.name': {kind: 'text'},
		'model.length': {kind: 'number', default: 512},
		'model.seq': {kind: 'number'},
		'model.mcore': {kind: 'boolean', default: true},
	},
};

type Read = {given: Record<string, unknown>; own: readonly string[]; says: string};

const summary = async (reading: ReturnType<typeof readFlags>): Promise<Read> => {
	const {given, own: mine, says} = await reading;
	const values = Object.fromEntries([...given].map(([name, {value}]) => [name, value]));
	return {given: values, own: mine, says: says.join('\n')};
};
const flags = (...words: string[]) => summary(readFlags(system, words, own));
const overrides = (...words: string[]) => summary(readOverrides(system, words, own));

describe('flags', () => {
	test.each([
		[['--learning_rate', '3e-5'], {learning_rate: 3e-5}],
		[['--learning-rate=3e-5'], {learning_rate: 3e-5}],
		[['--lr', '-1'], {learning_rate: -1}],
		[['--lr', '1', '--lr', '2'], {learning_rate: 2}],
		[['--fp16'], {fp16: true}],
		[['--fp16', '--lr', '1'], {fp16: true, learning_rate: 1}],
		[['--fp16', 'True'], {fp16: true}],
		[['--fp16=false'], {fp16: false}],
		[['--no_normalized'], {normalized: false}],
		[['--no-normalized'], {normalized: false}],
		[['--normalized', 'no'], {normalized: false}],
		[['--train_data', 'a', 'b', 'c', '--fp16'], {train_data: ['a', 'b', 'c'], fp16: true}],
		[['--query_instruction', ''], {query_instruction: ''}],
		[['--query_instruction='], {query_instruction: ''}],
		[['--query_instruction', 'a=b: --c'], {query_instruction: 'a=b: --c'}],
	])('%j give %j', async (words, given) => {
		expect(await flags(...words)).toEqual({given, own: [], says: ''});
	});

	test.each([
		[['--learning_rat', '1'], 'OPTION_UNKNOWN', /got --learning_rat; did you mean --learning_rate/],
		[['word'], 'OPTION_UNKNOWN', /expected an option of the system, got word/],
		[['--learning_rate', 'x'], 'OPTION_TYPE', /--learning_rate: expected a number, got "x"/],
		[['--fp16', 'perhaps'], 'OPTION_TYPE', /--fp16: expected true or false, got "perhaps"/],
		[['--learning_rate'], 'OPTION_MISSING', /--learning_rate: expected a value, got none/],
		[['--learning_rate', '--fp16'], 'OPTION_MISSING', /--learning_rate: expected a value/],
		[['--train_data', '--fp16'], 'OPTION_MISSING', /--train_data: expected a value/],
	])('%j are refused', async (words, code, sentence) => {
		await expect(flags(...words)).rejects.toMatchObject({
			code,
			message: expect.stringMatching(sentence),
		});
	});

	test('of ours may stand among theirs', async () => {
		const words = ['--threads', '2', '--fp16', '--eval', 'a', 'b', '--json', '--lr=1'];
		const more = await flags('--tensorboard', 'logs', '--fp16', '--tensorboard', '--lr', '1');
		expect(more.own).toEqual(['--tensorboard', 'logs', '--tensorboard']);
		expect(await flags(...words)).toEqual({
			given: {fp16: true, learning_rate: 1},
			own: ['--threads', '2', '--eval', 'a', 'b', '--json'],
			says: '',
		});
	});

	test('come before a file, which comes before the defaults', async () => {
		const config = put('c.yaml', 'learning_rate: 1e-3\nfp16: true\nlearning_rat: 2\nother: 3\n');
		const {given, says} = await flags('--lr', '2', '--config', config);
		expect(given).toEqual({learning_rate: 2, fp16: true, config});
		expect(says).toBe(`${config}: nothing reads learning_rat (did you mean learning_rate?), other`);
	});

	test.each([
		['- a\n', /c2.yaml: expected options by name, got an array/],
		['a: [', /c2.yaml: expected options in JSON or YAML/],
		['learning_rate: [[1]]\n', /c2.yaml: learning_rate: expected one value or a list/],
	])('with the file %j are refused', async (text, sentence) => {
		await expect(flags('--config', put('c2.yaml', text))).rejects.toThrow(sentence);
	});
});

describe('overrides', () => {
	test.each([
		[['model.seed=5'], {'model.seed': 5}],
		[['+model.seed=5'], {'model.seed': 5}],
		[['++model.seed=5'], {'model.seed': 5}],
		[['~model.seed'], {'model.seed': null}],
		[['model.name=null'], {'model.name': null}],
		[['model.name='], {'model.name': null}],
		[['model.name=a b=c: d'], {'model.name': 'a b=c: d'}],
		[['model.name="huggingface"'], {'model.name': 'huggingface'}],
		[['model.mcore=False'], {'model.mcore': false}],
		[['model.files=["train.jsonl"]'], {'model.files': ['train.jsonl']}],
		[['model.files=[a.jsonl,b.jsonl]'], {'model.files': ['a.jsonl', 'b.jsonl']}],
		[['model.files=\\["a.jsonl"]'], {'model.files': ['a.jsonl']}],
		[['model.seed=1', ' ', 'model.seed=2'], {'model.seed': 2}],
	])('%j give %j', async (words, given) => {
		expect(await overrides(...words)).toEqual({given, own: [], says: ''});
	});

	test('with a plus may be of keys that nothing reads, which is said', async () => {
		const {given, says} = await overrides('+model.other=5', 'hydra.run.dir=x');
		expect(given).toEqual({});
		expect(says).toContain('model.other: ');
		expect(says).toContain('hydra.run.dir: ');
	});

	test.each([
		[['model.sed=5'], 'OPTION_UNKNOWN', /got model.sed; did you mean model.seed/],
		[['~model.sed'], 'OPTION_UNKNOWN', /got model.sed; did you mean model.seed/],
		[['model.seed=a'], 'OPTION_TYPE', /model.seed: expected a number, got "a"/],
		[['model.files=[a'], 'OPTION_TYPE', /model.files: expected a value as Hydra reads it/],
		[['word'], 'OPTION_UNKNOWN', /expected an option of the system, got word/],
		[['--config-name'], 'OPTION_MISSING', /--config-name: expected a value/],
		[['--config-name', 'else'], 'FILE_NOT_FOUND', /else.yaml: expected a configuration file/],
	])('%j are refused', async (words, code, sentence) => {
		await expect(overrides(...words)).rejects.toMatchObject({
			code,
			message: expect.stringMatching(sentence),
		});
	});

	test('come before a file, in which keys are nested and refer to each other', async () => {
		put(
			'mine.yaml',
			`model:\n  seed: 1234\n  length: 64\n  seq: \${model.length}\n  name: ???\n  unread: 1\n`,
		);
		const {given, says} = await overrides(
			...['--config-path', folder, '--config-name=mine', 'model.mcore=false', '--threads', '2'],
		);
		expect(given).toEqual({'model.length': 64, 'model.seq': 64, 'model.mcore': false});
		expect(says).toContain('nothing reads model.unread');
	});

	test('need no file for the configuration whose defaults are known', async () => {
		const {given, says} = await overrides('--config-path=/none', '--config-name=standard');
		expect(given).toEqual({});
		expect(says).toContain('/none/standard.yaml: not there');
	});
});
