// A run that is killed and gone on with is the same run: weights, log, and nothing left behind.

import type {ChildProcess} from 'node:child_process';
import {readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {killedAfter, trainApart} from './children.js';
import {bert, filesIn, hashOf, lines, loadTiny, metricsIn, rowsOf, timeless} from './tiny.js';

const {folder, put} = temporaryFolder();
const data = put('rows.jsonl', lines(rowsOf(40)));
const scored = put(
	'sts.jsonl',
	lines([5, 1, 4, 2].map((score, n) => ({sentence1: `a ${n}`, sentence2: `the ${n}`, score}))),
);
const options = {
	...{model: bert, data, threads: 1, batchSize: 8, epochs: 6, dropout: 0.1, seed: 3},
	...{learningRate: 1e-3, saveSteps: 3, evalSteps: 4, eval: `mine=${scored}`},
};
const at = (name: string) => join(folder, name);

/** Where a run may be killed: after the line of a step, within what a step with its checkpoint takes. */
const moments = Array.from({length: 6}, () => ({
	step: 1 + Math.floor(29 * Math.random()),
	delay: 60 * Math.random(),
})).toSorted((a, b) => a.step - b.step);

describe('a run killed at random moments', () => {
	const said = JSON.stringify(moments);

	test('and gone on with ends in the same bits', {timeout: 300_000}, async () => {
		const whole = await trainApart({...options, output: at('whole')});
		expect(whole.result).toMatchObject({steps: 30, resumedFrom: null});
		const broken = {...options, output: at('broken')};
		for (const [kill, {step, delay}] of moments.entries()) {
			await killedAfter(`step ${step}`, delay, {...broken, resume: kill > 0});
		}
		const last = await trainApart({...broken, threads: 2, resume: true});
		expect(last.result, said).toMatchObject({steps: 30, output: at('broken')});
		const files = filesIn(at('whole'));
		expect(filesIn(at('broken')), said).toEqual(files);
		for (const name of files.filter(file => file.endsWith('.safetensors'))) {
			expect(hashOf(join(at('broken'), name)), `${name} ${said}`).toBe(
				hashOf(join(at('whole'), name)),
			);
		}
		expect(timeless(metricsIn(at('broken')))).toEqual(timeless(metricsIn(at('whole'))));
	});
});

test('a run killed twice goes on from its newest checkpoint each time', async () => {
	const output = at('twice');
	await killedAfter('step 5', 0, {...options, output});
	const second = await killedAfter('step 11', 0, {...options, output, resume: true});
	expect(second.lines).toContainEqual(
		expect.stringMatching(/^message goes on from step [3-6] of 30$/),
	);
	const {result} = await trainApart({...options, output, resume: true});
	expect(result?.resumedFrom).toBeGreaterThanOrEqual(9);
});

test('a run killed before its first checkpoint starts anew and says so', async () => {
	const output = at('early');
	await killedAfter('step 1', 0, {...options, output});
	const {lines: printed, result} = await trainApart({...options, output, resume: true});
	expect(printed).toContain('message no checkpoint to go on from; the run starts anew');
	expect(result).toMatchObject({steps: 30, resumedFrom: null});
});

test('a run that another process writes is refused, and a dead process holds nothing', async () => {
	const output = at('locked');
	const asked = {data: rowsOf(8), batchSize: 4, output, overwrite: true, loss: infoNce()};
	const model = await loadTiny();
	let refused: Promise<unknown> | undefined;
	const act = (child: ChildProcess) => {
		child.kill('SIGSTOP');
		refused = train(model, asked).catch((error: unknown) => error);
		void refused.then(() => child.kill('SIGKILL'));
	};
	await trainApart({...options, output}, {line: 'step 2', act});
	expect(await refused).toMatchObject({
		code: 'OUTPUT_LOCKED',
		message: expect.stringMatching(/process \d+ writing it/),
	});
	expect(readdirSync(folder)).toContain('.locked.lock');
	await train(model, asked);
	expect(readdirSync(folder)).not.toContain('.locked.lock');
});

test('what a killed writer left half done is cleared', async () => {
	const output = at('drafts');
	await killedAfter('step 7', 0, {...options, output});
	const drafts = ['.run.json.1.0.tmp', 'checkpoints/.step-7.1.2.tmp', 'checkpoints/.step-7.lock'];
	for (const draft of drafts) writeFileSync(join(output, draft), 'half');
	await trainApart({...options, output, resume: true});
	expect(filesIn(output).filter(name => /(^|\/)\./.test(name))).toEqual([]);
});
