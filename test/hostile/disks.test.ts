// A full disk and a read-only one: one line with the reason, and nothing left behind.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {train} from '../../dist/train/train.js';
import {bert, type Ended, inbatch} from '../cli/command-line.js';
import {lines, loadTiny, rowsOf} from '../train/tiny.js';
import {canMount, filesBelow, fill, makeReadOnly, mounted} from './mounts.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-disks-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));

const texts = join(folder, 'texts.txt');
writeFileSync(texts, Array.from({length: 8000}, (_, n) => `the ${n}\n`).join(''));
const pairs = join(folder, 'pairs.jsonl');
writeFileSync(pairs, lines(rowsOf(8)));

const sample = join(import.meta.dirname, '../../sample/eval');
const model = ['--model', bert, '--pooling', 'mean', '--quiet'];
const full = 'ENOSPC, no space left on the disk';
const readOnly = 'EROFS, the file system is read-only';

const encode = (output: string) =>
	inbatch(['encode', ...model, '--input', texts, '--output', output]);
const trainCommand = (output: string, ...options: string[]) =>
	inbatch([
		...['train', ...model, '--data', pairs, '--output', output, '--batch-size', '4'],
		...['--query-prompt', '', '--document-prompt', '', ...options],
	]);

function expectFailure({code, stdout, stderr}: Ended, path: string, reason: string): void {
	const expected = `error FILE_WRITE: ${path}: expected a place to write to, got ${reason}\n`;
	expect({code, stdout, stderr}).toEqual({code: 1, stdout: '', stderr: expected});
}

const onlyRoot = canMount ? '' : ' (skipped: only root may mount)';

describe.skipIf(!canMount)(`A disk that becomes full${onlyRoot}`, () => {
	test.each(['vectors.npy', 'vectors.jsonl'])('while encode writes %s', async name => {
		const disk = mounted(1024);
		expectFailure(await encode(join(disk, name)), join(disk, name), full);
		expect(filesBelow(disk)).toEqual([]);
	});

	test('while train writes its first checkpoint', async () => {
		const disk = mounted(1024);
		const {code, stdout, stderr} = await trainCommand(join(disk, 'run'), '--steps', '2');
		expect({code, stdout}).toEqual({code: 1, stdout: ''});
		expect(stderr).toMatch(/^error FILE_WRITE: \/.*\/run\/.*: expected a place .*ENOSPC.*\n$/);
		expect(filesBelow(disk)).toEqual([]);
	});

	test('while train writes its second checkpoint, and the first stays', async () => {
		const disk = mounted(2600);
		const {code, stdout, stderr} = await trainCommand(
			join(disk, 'run'),
			...['--steps', '4', '--save-steps', '2'],
		);
		expect({code, stdout}).toEqual({code: 1, stdout: ''});
		expect(stderr).toMatch(/^error FILE_WRITE: \/.*\/run\/.*: expected a place .*ENOSPC.*\n$/);
		const left = filesBelow(disk);
		expect(left).toContain('run/checkpoints/step-2/model.safetensors');
		expect(left.filter(name => /step-4|\.tmp|\.lock|\.old|^\.|\/\./.test(name))).toEqual([]);
	});

	test('while train logs its steps', async () => {
		const disk = mounted(1024);
		fill(disk, 1024, 24);
		const {code, stdout, stderr} = await trainCommand(
			join(disk, 'run'),
			...['--epochs', '200', '--save-steps', '1000'],
		);
		expect({code, stdout}).toEqual({code: 1, stdout: ''});
		expect(stderr).toMatch(/^error FILE_WRITE: .*\/run\/metrics\.jsonl: expected .*ENOSPC.*\n$/);
		expect(filesBelow(disk)).toEqual([]);
	});

	test('while evaluate writes a run', async () => {
		const disk = mounted(64);
		fill(disk, 64, 16);
		const run = join(disk, 'run.trec');
		const retrieval = ['--model', 'builtin', '--retrieval', sample, '--quiet'];
		expectFailure(await inbatch(['evaluate', ...retrieval, '--run', run]), run, full);
		expect(filesBelow(disk)).toEqual([]);
	});

	test('at whatever size while a model is trained or saved', async () => {
		const disk = mounted(2048);
		const outcomes: unknown[] = [];
		for (let left = 4; left < 2048; left += 117) {
			fill(disk, 2048, left);
			const tiny = await loadTiny({threads: 1});
			const ended = await Promise.allSettled([
				train(tiny, {data: rowsOf(4), batchSize: 4, output: join(disk, 'run')}),
			]);
			rmSync(join(disk, 'run'), {recursive: true, force: true});
			await tiny
				.save(join(disk, 'saved'))
				.catch(error => ended.push({status: 'rejected', reason: error}));
			rmSync(join(disk, 'saved'), {recursive: true, force: true});
			outcomes.push(...ended.flatMap(one => ('reason' in one ? [one.reason] : [])));
			expect(filesBelow(disk)).toEqual([]);
		}
		expect(outcomes.length).toBeGreaterThan(20);
		for (const outcome of outcomes) {
			expect(outcome).toMatchObject({code: 'FILE_WRITE', message: expect.stringContaining(full)});
			expect(outcome).toMatchObject({message: expect.not.stringContaining('.tmp')});
		}
	});

	test('while a model is saved', async () => {
		const disk = mounted(300);
		const tiny = await loadTiny();
		await expect(tiny.save(join(disk, 'saved'))).rejects.toMatchObject({
			code: 'FILE_WRITE',
			message: expect.stringContaining(full),
		});
		expect(filesBelow(disk)).toEqual([]);
	});

	test('before anything is written', async () => {
		const disk = mounted(64);
		fill(disk, 64, 0);
		for (const output of ['vectors.npy', 'vectors.jsonl']) {
			expectFailure(await encode(join(disk, output)), join(disk, output), full);
		}
		expectFailure(await trainCommand(join(disk, 'run')), join(disk, 'run'), full);
		expect(filesBelow(disk)).toEqual([]);
	});
});

describe.skipIf(!canMount)(`A read-only disk${onlyRoot}`, () => {
	test('is refused by encode, train and save before the work begins', async () => {
		const disk = mounted(4096);
		makeReadOnly(disk);
		for (const output of ['vectors.npy', 'vectors.jsonl']) {
			expectFailure(await encode(join(disk, output)), join(disk, output), readOnly);
		}
		expectFailure(await trainCommand(join(disk, 'run')), join(disk, 'run'), readOnly);
		const tiny = await loadTiny();
		await expect(tiny.save(join(disk, 'saved'))).rejects.toMatchObject({
			code: 'FILE_WRITE',
			message: expect.stringContaining(readOnly),
		});
		expect(filesBelow(disk)).toEqual([]);
	});

	test('keeps the run that is gone on with as it was', async () => {
		const disk = mounted(8192);
		expect(await trainCommand(join(disk, 'run'), '--steps', '2')).toMatchObject({code: 0});
		const before = filesBelow(disk);
		makeReadOnly(disk);
		const resumed = await trainCommand(join(disk, 'run'), '--steps', '2', '--overwrite');
		expectFailure(resumed, join(disk, 'run'), readOnly);
		expect(filesBelow(disk)).toEqual(before);
	});
});
