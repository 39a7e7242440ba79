import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {bert, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const file = (name: string, content: string) => {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
};
const texts = file('texts.txt', 'one\ntwo\n');
const base = ['encode', '--model', bert, '--input', texts, '--output', join(folder, 'out.npy')];

describe('wrong usage ends with exit 2 and one line', () => {
	test.each([
		[[], 'error OPTION_MISSING: inbatch: expected a command of encode'],
		[
			['enocde'],
			'error OPTION_UNKNOWN: inbatch: expected a known command, got enocde; did you mean encode?',
		],
		[
			[...base, '--poling', 'mean'],
			'error OPTION_UNKNOWN: inbatch encode: expected a known option, got --poling; did you mean --pooling?',
		],
		[[...base, 'more'], 'error OPTION_UNKNOWN: inbatch encode: expected options only, got more'],
		[['encode', '--input'], 'error OPTION_MISSING: --input: expected a value, got none'],
		[['encode', '--input', texts], 'error OPTION_MISSING: --output: expected a name that ends in'],
		[
			[...base, '--pooling', 'median'],
			'error OPTION_RANGE: --pooling: expected one of cls, max, mean, mean_sqrt_len, weightedmean, last',
		],
		[
			[...base, '--threads', 'two'],
			'error OPTION_TYPE: --threads: expected a whole number from 1 to 1024',
		],
		[[...base, '--threads', '0'], 'error OPTION_RANGE: --threads: expected a whole number from 1'],
		[
			[...base, '--device', 'gpu'],
			'error OPTION_RANGE: --device: expected cpu, cuda, cuda:<i> or auto',
		],
		[[...base, '--prompt', 'a', '--prompt-text', 'b'], 'error OPTION_CONFLICT: --prompt: '],
		[[...base, '--output', 'x.txt'], 'error OPTION_RANGE: --output: expected a name that ends in'],
		[[...base, '--output', '-', '--json'], 'error OPTION_CONFLICT: --json: '],
	])('%j', async (args, line) => {
		const {code, stdout, stderr} = await inbatch(args);
		expect(code).toBe(2);
		expect(stdout).toBe('');
		expect(stderr.startsWith(line), stderr).toBe(true);
		expect(stderr.trimEnd()).not.toContain('\n');
	});
});

describe('configuration', () => {
	const yaml = file(
		'config.yaml',
		'threads: 1\nmax-length: 7\ndimensions: 5\nno-normalize: true\n',
	);

	test('the command line overrides the environment, which overrides the file', async () => {
		const args = [...base, '--config', yaml, '--dimensions', '3', '--print-config', '--json'];
		const env = {INBATCH_MAX_LENGTH: '9', INBATCH_DIMENSIONS: '4'};
		const {code, stdout} = await inbatch(args, {env});
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({
			dimensions: {value: 3, origin: 'command line'},
			'max-length': {value: 9, origin: 'environment INBATCH_MAX_LENGTH'},
			threads: {value: 1, origin: `config ${yaml}`},
			normalize: {value: false, origin: `config ${yaml}`},
			device: {value: 'auto', origin: 'default'},
			pooling: {value: null, origin: 'default'},
		});
	});

	test('what --print-config prints is a configuration of the same options', async () => {
		const args = ['encode', '--dimensions', '3', '--field', 'a,b', '--print-config'];
		const first = await inbatch(args);
		const printed = file('printed.yaml', first.stdout);
		const again = await inbatch(['encode', '--config', printed, '--print-config', '--json']);
		expect(JSON.parse(again.stdout)).toMatchObject({
			dimensions: {value: 3},
			field: {value: ['a', 'b']},
		});
	});

	test('a JSON file is read as well', async () => {
		const json = file('config.json', '{"batch-tokens": 99}');
		const {stdout} = await inbatch(['encode', '--config', json, '--print-config', '--json']);
		expect(JSON.parse(stdout)).toMatchObject({'batch-tokens': {value: 99}});
	});

	test.each([
		['dimension: 3', 'OPTION_UNKNOWN', 'did you mean dimensions?'],
		['dimensions: "3"', 'OPTION_TYPE', 'dimensions: expected a whole number from 1, got "3"'],
		['dimensions: 0', 'OPTION_RANGE', 'dimensions: expected a whole number from 1, got 0'],
		['no-normalize: 1', 'OPTION_TYPE', 'no-normalize: expected true or false, got a number'],
		['- a', 'FILE_FORMAT', 'expected options by name, got an array'],
		['a: [', 'FILE_FORMAT', 'expected options in JSON or YAML'],
	])('a file of %j is refused by its name', async (content, code, part) => {
		const bad = file('bad.yaml', content);
		const ended = await inbatch([...base, '--config', bad]);
		expect(ended.code).toBe(2);
		expect(ended.stderr).toContain(`error ${code}: ${bad}`);
		expect(ended.stderr).toContain(part);
	});

	test('an unknown variable is refused and the nearest one named', async () => {
		const {code, stderr} = await inbatch(base, {env: {INBATCH_DIMENSION: '3'}});
		expect(code).toBe(2);
		expect(stderr).toContain('got INBATCH_DIMENSION; did you mean INBATCH_DIMENSIONS?');
	});

	test('a variable of another command is left alone', async () => {
		const {code} = await inbatch(['info', '--json'], {env: {INBATCH_DIMENSIONS: '3'}});
		expect(code).toBe(0);
	});

	test('a variable that does not fit is named', async () => {
		const {code, stderr} = await inbatch(base, {env: {INBATCH_THREADS: 'many'}});
		expect(code).toBe(2);
		expect(stderr).toContain('error OPTION_TYPE: INBATCH_THREADS: expected a whole number');
	});
});

describe('help', () => {
	test('lists the commands', async () => {
		const {code, stdout, stderr} = await inbatch(['--help']);
		expect(code).toBe(0);
		expect(stdout).toMatch(/encode +turn texts into embeddings/);
		expect(stderr).toBe('');
	});

	test.each(['encode', 'info'])('of %s has an example', async name => {
		const {code, stdout} = await inbatch([name, '--help']);
		expect(code).toBe(0);
		expect(stdout).toContain(`Example:\n  inbatch ${name} `);
		expect(await inbatch(['help', name])).toMatchObject({stdout});
	});

	test('of encode has defaults', async () => {
		const {stdout} = await inbatch(['encode', '--help']);
		expect(stdout.replaceAll(/\s+/g, ' ')).toContain('never changes the result (default: 16384)');
	});

	test('of train is in groups, and no line is wider than a page', async () => {
		const {stdout} = await inbatch(['train', '--help']);
		const headings = stdout.split('\n').filter(line => /^\S.*:$/.test(line));
		expect(headings).toEqual(expect.arrayContaining(['Model:', 'Loss:', 'Optimizer:', 'Common:']));
		const options = stdout.slice(stdout.indexOf('Options:'), stdout.indexOf(headings[1]!));
		expect(options.match(/^ {2}-/gm)!.length).toBeLessThan(10);
		const descriptions = stdout.split('\n').filter(line => !/^ {2}-/.test(line));
		expect(Math.max(...descriptions.map(line => line.length))).toBeLessThanOrEqual(110);
	});

	test('says once what can be switched on and off', async () => {
		const {stdout} = await inbatch(['train', '--help']);
		expect(stdout).toMatch(/--\[no-\]report +write report.html/);
		expect(stdout).toContain('--allow-duplicates, --no-duplicates');
		expect(stdout).not.toContain('the opposite of');
	});

	test('the version is that of the package', async () => {
		const {code, stdout} = await inbatch(['--version']);
		expect(code).toBe(0);
		expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
	});
});

test('info has the shape that programs rely on', async () => {
	const {code, stdout, stderr} = await inbatch(['info', '--json']);
	expect(code).toBe(0);
	expect(stderr).toBe('');
	expect(JSON.parse(stdout)).toEqual({
		version: expect.any(String),
		node: process.version,
		kernels: expect.any(String),
		threads: expect.any(Number),
		devices: expect.arrayContaining([
			{
				...{name: 'cpu', available: true, memoryBytes: expect.any(Number)},
				dtypes: ['f32', 'int8'],
			},
		]),
		libraries: expect.any(Object),
		cache: expect.any(String),
		binary: expect.stringMatching(/\.node$/),
	});
});

test('info says what is missing where the engine does not load', async () => {
	const {code, stdout} = await inbatch(['info', '--json'], {
		env: {INBATCH_NATIVE: '/nowhere.node'},
	});
	expect(code).toBe(0);
	expect(JSON.parse(stdout)).toMatchObject({kernels: null, binary: null});
	expect(JSON.parse(stdout).devices[0]).toMatchObject({
		available: false,
		reason: expect.any(String),
	});
});
