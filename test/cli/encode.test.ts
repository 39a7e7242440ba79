import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {describe, expect, test} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import {bert, type Ended, inbatch, main, type Settings, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
let count = 0;
/** A folder of its own for each call, so that what is left behind can be seen. */
const place = () => {
	const path = join(folder, String(count++));
	mkdirSync(path);
	return path;
};
const file = (name: string, content: string | Uint8Array) => {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
};
const model = ['--model', bert, '--pooling', 'mean', '--device', 'cpu'];
const encode = (input: string, output: string, more: string[] = [], settings: Settings = {}) =>
	inbatch(['encode', ...model, '--input', input, '--output', output, ...more], settings);
const lines = ({stdout}: Ended) =>
	stdout
		.trimEnd()
		.split('\n')
		.map(line => JSON.parse(line) as {id: string; embedding: number[]});

describe('encode', () => {
	const titled = file(
		'titled.jsonl',
		'{"_id":"q","id":3,"title":"big","text":"dog"}\n\n{"id":7,"title":"","text":"cat"}\r\n{"text":" "}\n{"text":""}',
	);
	const plain = file('plain.txt', 'big dog\ncat\n \n\n');

	test('writes a matrix that NumPy reads and one id a line', async () => {
		const at = place();
		const {code, stdout} = await encode(titled, join(at, 'x.npy'), ['--json']);
		expect(code).toBe(0);
		const {data, shape} = await readNpy(join(at, 'x.npy'));
		expect(shape).toEqual([4, 64]);
		expect(data).toBeInstanceOf(Float32Array);
		expect(readFileSync(join(at, 'x.ids'), 'utf8')).toBe('q\n7\n3\n4\n');
		expect(readdirSync(at).sort()).toEqual(['x.ids', 'x.npy']);
		expect(JSON.parse(stdout)).toEqual({
			texts: 4,
			width: 64,
			tokens: expect.any(Number),
			truncated: 0,
			seconds: expect.any(Number),
			textsPerSecond: expect.any(Number),
			tokensPerSecond: expect.any(Number),
			device: 'cpu',
			kernels: expect.any(String),
			dtype: 'f32',
			peakMemoryBytes: expect.any(Number),
		});
		expect(JSON.parse(stdout).peakMemoryBytes).toBeGreaterThan(2 ** 20);
	});

	test('gives the same bits in every form of input and output', async () => {
		const at = place();
		await encode(titled, join(at, 'x.npy'));
		const {data} = await readNpy(join(at, 'x.npy'));
		const fromText = lines(await encode(plain, '-'));
		await encode(titled, join(at, 'y.jsonl'));
		const fromFile = readFileSync(join(at, 'y.jsonl'), 'utf8').trimEnd().split('\n');
		const fromStdin = lines(await encode('-', '-', [], {input: readFileSync(titled, 'utf8')}));
		const array = '[\n{"text":"big dog"},\n{"text":"cat"},{"text":" "},\n{"text":""}]';
		const fromArray = lines(await encode('-', '-', [], {input: array}));
		const rows = Array.from({length: 4}, (_, row) =>
			Array.from(data.subarray(row * 64, row * 64 + 64), Number),
		);
		expect(fromText.map(({embedding}) => embedding)).toEqual(rows);
		expect(fromFile.map(line => JSON.parse(line).embedding)).toEqual(rows);
		expect(fromStdin.map(({embedding}) => embedding)).toEqual(rows);
		expect(fromArray.map(({embedding}) => embedding)).toEqual(rows);
		expect(fromText.map(({id}) => id)).toEqual(['0', '1', '2', '3']);
		expect(fromStdin.map(({id}) => id)).toEqual(['q', '7', '3', '4']);
	});

	test('writes the vectors of tokens, and the row at which each text begins', async () => {
		const at = place();
		const output = join(at, 'x.npy');
		const {code, stdout} = await encode(titled, output, ['--token-vectors', '--json']);
		expect(code).toBe(0);
		expect(readdirSync(at).sort()).toEqual(['x.ids', 'x.npy', 'x.offsets']);
		const offsets = readFileSync(join(at, 'x.offsets'), 'utf8').trimEnd().split('\n').map(Number);
		const {shape} = await readNpy(output);
		expect(offsets).toHaveLength(5);
		expect([offsets[0], offsets.at(-1)]).toEqual([0, shape[0]]);
		expect(JSON.parse(stdout)).toMatchObject({texts: 4, width: 64, tokens: shape[0]});
		const other = await encode(titled, join(at, 'x.jsonl'), ['--token-vectors']);
		expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('ends in .npy')]);
	});

	test('takes other fields, joined by a space', async () => {
		const input = '{"head":"big","body":"dog"}\n{"body":"cat"}\n';
		const [first, second] = lines(await encode('-', '-', ['--field', 'head,body'], {input}));
		const [dog, cat] = lines(await encode(plain, '-'));
		expect(first?.embedding).toEqual(dog?.embedding);
		expect(second?.embedding).toEqual(cat?.embedding);
	});

	test('puts a literal prompt around the text', async () => {
		const input = 'dog';
		const [prompted] = lines(await encode('-', '-', ['--prompt-text', 'big {}'], {input}));
		const [dog] = lines(await encode(plain, '-'));
		expect(prompted?.embedding).toEqual(dog?.embedding);
	});

	test('cuts to a width, and to unit length when asked', async () => {
		const [whole] = lines(await encode(plain, '-'));
		const [cut] = lines(await encode(plain, '-', ['--dimensions', '5']));
		const [unit] = lines(await encode(plain, '-', ['--dimensions', '5', '--normalize']));
		expect(cut?.embedding).toEqual(whole?.embedding.slice(0, 5));
		expect(unit?.embedding.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(1, 5);
	});

	test('counts the texts that were cut', async () => {
		const args = ['--max-length', '3', '--json'];
		const {stdout, stderr} = await encode(plain, join(place(), 'x.npy'), args);
		expect(JSON.parse(stdout)).toMatchObject({truncated: 2, tokens: 10});
		expect(stderr).toContain('2 texts were cut to 3 tokens');
	});

	test('keeps the order of more texts than one batch holds', async () => {
		const many = Array.from({length: 5000}, (_, n) => `${n % 3}`).join('\n');
		const at = place();
		await encode(file('many.txt', many), join(at, 'x.npy'));
		const {data, shape} = await readNpy(join(at, 'x.npy'));
		expect(shape).toEqual([5000, 64]);
		const row = (n: number) => data.slice(n * 64, n * 64 + 64);
		expect(row(4999)).toEqual(row(4999 % 3));
		expect(row(4096)).toEqual(row(4096 % 3));
		expect(row(1)).not.toEqual(row(0));
	});

	test('replaces an output only when told so', async () => {
		const at = place();
		const output = join(at, 'x.npy');
		writeFileSync(join(at, 'x.ids'), 'mine');
		const refused = await encode(plain, output);
		expect(refused).toMatchObject({code: 1, stdout: ''});
		expect(refused.stderr).toMatch(/^error OUTPUT_EXISTS: .*x\.ids: /);
		expect(readdirSync(at)).toEqual(['x.ids']);
		expect(await encode(plain, output, ['--overwrite'])).toMatchObject({code: 0});
		expect(readFileSync(join(at, 'x.ids'), 'utf8')).toBe('0\n1\n2\n3\n');
	});

	test('says nothing when quiet', async () => {
		const ended = await encode(plain, join(place(), 'x.npy'), ['--quiet']);
		expect(ended).toEqual({code: 0, stdout: '', stderr: ''});
	});

	test('prints the device', async () => {
		const {stderr} = await encode(plain, join(place(), 'x.npy'), ['--threads', '1']);
		expect(stderr).toMatch(/^device: cpu, 1 thread, /);
	});

	test('ends in silence when its reader goes away', async () => {
		const many = file('long.txt', 'word\n'.repeat(20_000));
		const {code, stderr} = await encode(many, '-', ['--quiet'], {closeAfter: 1000});
		expect(code).toBe(0);
		expect(stderr).toBe('');
	});

	test.skipIf(!existsSync('/dev/full'))(
		'leaves no output where its summary cannot be printed (needs /dev/full)',
		async () => {
			const at = place();
			const full = openSync('/dev/full', 'w');
			const args = ['encode', ...model, '--input', plain, '--output', join(at, 'x.npy'), '--json'];
			const child = spawn(process.execPath, [main, ...args], {
				env: {PATH: process.env.PATH},
				stdio: ['ignore', full, 'ignore'],
			});
			expect(await once(child, 'close')).toEqual([1, null]);
			closeSync(full);
			expect(readdirSync(at)).toEqual([]);
		},
	);

	test('writes its output also when nobody reads the summary', async () => {
		const at = place();
		const args = ['encode', ...model, '--input', plain, '--output', join(at, 'x.npy'), '--json'];
		const child = spawn(process.execPath, [main, ...args], {
			env: {PATH: process.env.PATH},
			stdio: ['ignore', 'pipe', 'ignore'],
		});
		child.stdout.destroy();
		expect(await once(child, 'close')).toEqual([0, null]);
		expect(readdirSync(at).sort()).toEqual(['x.ids', 'x.npy']);
	});

	test('stops while its reader stands still', async () => {
		const input = file('long.txt', 'word\n'.repeat(20_000));
		const args = ['encode', ...model, '--input', input, '--output', '-'];
		const child = spawn(process.execPath, [main, ...args], {
			env: {PATH: process.env.PATH},
			stdio: ['ignore', 'pipe', 'ignore'],
		});
		const ended = once(child, 'exit');
		await once(child.stdout, 'readable');
		await sleep(200);
		child.kill('SIGINT');
		expect(await ended).toEqual([130, null]);
		child.stdout.destroy();
	});

	test.each([
		['SIGINT', 130],
		['SIGTERM', 143],
	] as const)('stops at %s and leaves nothing', async (signal, code) => {
		const at = place();
		const interrupt = {signal, at: 'device'};
		const ended = await encode('-', join(at, 'x.npy'), [], {
			input: 'a\n',
			keepOpen: true,
			interrupt,
		});
		expect(ended).toMatchObject({code, stdout: ''});
		expect(ended.stderr).toContain(`stopped by ${signal}`);
		expect(readdirSync(at)).toEqual([]);
	});
});

describe('a bad input is refused by its place and leaves nothing', () => {
	test.each([
		['empty', '', 'FILE_EMPTY', 'expected texts, got an empty file'],
		['no element', '[ ]', 'FILE_EMPTY', 'expected texts in the input, got none'],
		['broken', '{"text":"a"}\n{"text":\n', 'FILE_FORMAT', ':2: expected a whole JSON value'],
		[
			'number',
			'{"text":"a"}\n{"text":5}\n',
			'DATA_ROW',
			':2: expected "text" to be a string, got a number',
		],
		[
			'title',
			'{"text":"a","title":[]}',
			'DATA_ROW',
			':1: expected "title" to be a string, got an array',
		],
		['other', '{"sentence":"a"}', 'DATA_ROW', ':1: expected a "text", got only "sentence"'],
		['row', '{"text":"a"}\n[1]\n', 'DATA_ROW', ':2: expected an object, got an array'],
		[
			'id',
			'{"id":1.5,"text":"a"}',
			'DATA_ROW',
			':1: expected "id" to be a string or a whole number',
		],
		['rounded', '{"id":12345678901234567890,"text":"a"}', 'DATA_ROW', 'below 2^53'],
		['id of lines', '{"id":"a\\nb","text":"a"}', 'DATA_ROW', 'expected an id of one line'],
		['latin', Buffer.from('caf\xe9\n', 'latin1'), 'FILE_FORMAT', ':1: expected UTF-8'],
	])('%s', async (name, content, code, part) => {
		const at = place();
		const ended = await encode(file(`${name}.in`, content), join(at, 'x.npy'));
		expect(ended).toMatchObject({code: 1, stdout: ''});
		const last = ended.stderr.trimEnd().split('\n').at(-1);
		expect(last).toMatch(new RegExp(`^error ${code}: `));
		expect(last).toContain(part);
		expect(ended.stderr).not.toMatch(/\n\s+at /);
		expect(readdirSync(at)).toEqual([]);
	});

	test.each([
		[['--input', '/nowhere/texts'], 'FILE_NOT_FOUND'],
		[['--input', '/'], 'FILE_UNREADABLE'],
		[['--output', '/nowhere/x.npy'], 'FILE_WRITE'],
		[['--model', '/nowhere'], 'MODEL_NOT_FOUND'],
		[['--dimensions', '65'], 'OPTION_RANGE'],
		[['--max-length', '100000'], 'OPTION_RANGE'],
		[['--prompt', 'query'], 'OPTION_RANGE'],
		[['--device', 'cuda:99'], 'DEVICE_UNAVAILABLE'],
		[['--dtype', 'bf16'], 'DTYPE_UNSUPPORTED'],
		[['--field', 'body'], 'OPTION_CONFLICT'],
	])('%j', async (more, code) => {
		const at = place();
		const ended = await encode(file('good.txt', 'a\n'), join(at, 'x.npy'), [...more, '--json']);
		expect(ended).toMatchObject({code: 1, stdout: ''});
		expect(ended.stderr.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^error ${code}: `));
		expect(readdirSync(at)).toEqual([]);
	});

	test('a model without pooling says that it needs one', async () => {
		const args = ['--model', bert, '--input', file('one.txt', 'a'), '--output', '-'];
		const {code, stderr} = await inbatch(['encode', ...args]);
		expect(code).toBe(1);
		expect(stderr).toMatch(/^error MODEL_POOLING: /);
	});

	test('the stack is printed on demand only', async () => {
		const {stderr} = await inbatch(['encode'], {env: {INBATCH_DEBUG: '1'}});
		expect(stderr).toMatch(/^error OPTION_MISSING: .*\n(.*\n)+\s+at /);
	});
});
