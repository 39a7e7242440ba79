// Two processes that write one output: the second is refused in one line, the first is not disturbed.

import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {bert, type Ended, inbatch} from '../cli/command-line.js';
import {lines, rowsOf} from '../train/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-two-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const pairs = at('pairs.jsonl');
writeFileSync(pairs, lines(rowsOf(16)));
const model = ['--model', bert, '--pooling', 'mean', '--quiet'];

/** Waits until the first process holds the lock. */
async function locked(output: string): Promise<void> {
	const isLocked = () => readdirSync(folder).includes(`.${output}.lock`);
	while (!isLocked()) await new Promise(resolve => setTimeout(resolve, 20));
}

function expectLocked({code, stdout, stderr}: Ended, output: string): void {
	expect({code, stdout}).toEqual({code: 1, stdout: ''});
	const got = 'got process \\d+ writing it';
	expect(stderr).toMatch(
		new RegExp(`^error OUTPUT_LOCKED: ${at(output)}: expected a free output, ${got}\\n$`),
	);
}

test.each(['vectors.npy', 'vectors.jsonl'])('encode into %s', async output => {
	const encode = (input: string) => ['encode', ...model, '--input', input, '--output', at(output)];
	const pipe = at(`pipe.${output}`);
	spawnSync('mkfifo', [pipe]);
	const first = inbatch(encode(pipe));
	const input = await open(pipe, 'w');
	await input.write('a text\n'.repeat(20_000));
	await locked(output);
	expectLocked(await inbatch(encode(pairs)), output);
	await input.close();
	expect(await first).toMatchObject({code: 0});
	expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([]);
});

test.each([[], ['--overwrite'], ['--resume']])('train into one folder %j', async (...asked) => {
	const output = `run${asked.join('')}`;
	const train = ['train', ...model, '--data', pairs, '--output', at(output), '--batch-size', '8'];
	const first = inbatch([...train, '--epochs', '60', '--save-steps', '40']);
	await locked(output);
	expectLocked(await inbatch([...train, '--query-prompt', '', ...asked]), output);
	expect(await first).toMatchObject({code: 0});
	expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([]);
	expect(readdirSync(at(output))).toContain('model.safetensors');
});
