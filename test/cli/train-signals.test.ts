// Signals that ask something of a run: it saves or evaluates, and goes on.

import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {lines, rowsOf} from '../train/tiny.js';
import {bert, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const data = join(folder, 'rows.jsonl');
writeFileSync(data, lines(rowsOf(24)));

async function run(name: string, signal: NodeJS.Signals, more: string[] = []) {
	const output = join(folder, name);
	const asked = [
		'--data',
		data,
		'--output',
		output,
		'--batch-size',
		'8',
		'--epochs',
		'20',
		...more,
	];
	const ended = await inbatch(['train', '--model', bert, '--pooling', 'mean', ...asked], {
		interrupt: {signal, at: more.length > 0 ? 'step 0: ' : 'device: '},
	});
	return {...ended, output};
}

test('SIGUSR1 saves', async () => {
	const more = ['--eval-loss', `held=${data}`, '--save-steps', '999', '--keep', 'all'];
	const {code, stderr, output} = await run('saved', 'SIGUSR1', more);
	const [, step] = /^step (\d+): saved$/m.exec(stderr) ?? [];
	expect(code).toBe(0);
	expect(Number(step)).toBeLessThan(60);
	expect(existsSync(join(output, 'checkpoints', `step-${step}`, 'trainer'))).toBe(true);
	expect(stderr).not.toContain('Debugger');
});

test('SIGUSR2 evaluates', async () => {
	const {code, output} = await run('evaluated', 'SIGUSR2', ['--eval-loss', `held=${data}`]);
	const log = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
	const evaluations = log.map(line => JSON.parse(line)).filter(({evaluation}) => evaluation);
	expect(code).toBe(0);
	expect(evaluations).toHaveLength(3);
	expect(evaluations[1]).toMatchObject({requested: true, evaluation: {held: {}}});
});

test('what cannot be done is said, and the run goes on', async () => {
	const {code, stderr} = await run('unable', 'SIGUSR2');
	expect([code, stderr]).toEqual([
		0,
		expect.stringMatching(/warning: (evaluateNow|the run has not)/),
	]);
});
