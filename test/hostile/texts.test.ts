// Inputs of bytes that are not UTF-8 and lines longer than anybody writes, through the command: one line
// that names file, line and byte, or a result in flat memory.

import {once} from 'node:events';
import {
	createWriteStream,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {readNpy} from '../../dist/files/npy.js';
import {bert, inbatch} from '../cli/command-line.js';
import {lines, rowsOf} from '../train/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-texts-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const model = ['--model', bert, '--pooling', 'mean', '--quiet'];
const encode = (input: string, output: string) =>
	inbatch(['encode', ...model, '--input', input, '--output', output, '--json']);

const broken = (before: string, after: string) =>
	Buffer.concat([Buffer.from(before), Buffer.from([0xe9]), Buffer.from(after)]);

describe('Bytes that are not UTF-8 are refused by file, line and position, and nothing is left:', () => {
	const cases = [
		['text', broken('one\ntw', '\n'), ':2', 6],
		['lines', broken('{"text":"a"}\n{"text":"', '"}\n'), ':2', 22],
		['array', broken('[{"text":"a"},\n{"text":"', '"}]'), ':2', 24],
		['late', broken('a line of some length\n'.repeat(100_000), '\n'), ':100001', 2_200_000],
	] as const;

	test.each(cases)('encode of %s', async (name, content, line, position) => {
		const input = at(name);
		writeFileSync(input, content);
		const before = readdirSync(folder);
		expect(await encode(input, at('out.npy'))).toEqual({
			code: 1,
			stdout: '',
			stderr:
				`error FILE_FORMAT: ${input}${line}: expected UTF-8, got the byte 0xe9 at position ` +
				`${position} (from 0); convert the file to UTF-8 text\n`,
		});
		expect(readdirSync(folder)).toEqual(before);
	});

	test('train', async () => {
		const data = at('pairs.jsonl');
		writeFileSync(data, broken(`${lines(rowsOf(3))}{"query":"`, '","positive":"b"}\n'));
		const before = readdirSync(folder);
		const ended = await inbatch(['train', ...model, '--data', data, '--output', at('run')]);
		expect(ended).toMatchObject({code: 1, stdout: ''});
		expect(ended.stderr).toMatch(
			new RegExp(
				`^error \\w+: ${data}:4: expected UTF-8, got the byte 0xe9 at position \\d+ .*\n$`,
			),
		);
		expect(readdirSync(folder)).toEqual(before);
	});
});

describe('A line of 10 MB', () => {
	const long = 'the sign of it '.repeat(700_000);

	test.each([
		['text', `${long}\nthe end\n`],
		['JSON', `${JSON.stringify({text: long})}\n{"text":"the end"}\n`],
	])('of %s is a text that is cut', async (name, content) => {
		const [input, output] = [at(`${name}.long`), at(`${name}.npy`)];
		writeFileSync(input, content);
		const {code, stdout} = await encode(input, output);
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({texts: 2, truncated: 1});
		const {data, shape} = await readNpy(output);
		expect(shape).toEqual([2, 64]);
		expect(data.slice(0, 64)).not.toEqual(data.slice(64));
	});

	test('again and again is read in flat memory', {timeout: 300_000}, async () => {
		const input = at('many.txt');
		const file = createWriteStream(input);
		for (let line = 0; line < 30; line++) {
			if (!file.write(`${line} ${long}\n`)) await once(file, 'drain');
		}
		file.end();
		await once(file, 'close');
		const few = await encode(at('text.long'), at('few.jsonl'));
		const many = await encode(input, at('many.jsonl'));
		expect(many.code).toBe(0);
		const memoryOf = ({stdout}: {stdout: string}): number => JSON.parse(stdout).peakMemoryBytes;
		expect(memoryOf(many)).toBeLessThan(memoryOf(few) + 200 * 2 ** 20);
		expect(readFileSync(at('many.jsonl'), 'utf8').trimEnd().split('\n')).toHaveLength(30);
	});

	test('beyond 64 MB is refused by its line, and nothing is left', async () => {
		const input = at('endless.txt');
		writeFileSync(input, Buffer.concat([Buffer.from('a\n'), Buffer.alloc(65 * 2 ** 20, 'a')]));
		expect(await encode(input, at('endless.npy'))).toEqual({
			code: 1,
			stdout: '',
			stderr:
				`error FILE_FORMAT: ${input}:2: expected at most ${64 * 2 ** 20} bytes ` +
				'in one line or element, got more\n',
		});
		expect(readdirSync(folder).filter(name => /^\.|endless\.(npy|ids)/.test(name))).toEqual([]);
	});

	test('is one bad line where it breaks off', async () => {
		const input = at('cut.jsonl');
		writeFileSync(input, `{"text":"a"}\n{"text":"${long}`);
		const {code, stdout, stderr} = await encode(input, at('cut.npy'));
		expect({code, stdout}).toEqual({code: 1, stdout: ''});
		expect(stderr).toMatch(
			new RegExp(`^error FILE_FORMAT: ${input}:2: expected a whole JSON value, got .{1,200}\n$`),
		);
	});
});
