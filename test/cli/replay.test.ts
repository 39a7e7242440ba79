// `inbatch replay`: what proves that a run gives the same bits, and what disproves it.

import {cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {beforeAll, expect, test} from 'vitest';
import {addTensors, lines, rowsOf} from '../train/tiny.js';
import {bert, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const data = at('rows.jsonl');
writeFileSync(data, lines(rowsOf(24)));
const model = at('model');
cpSync(bert, model, {recursive: true});
const asked = [
	...['train', '--model', model, '--pooling', 'mean', '--device', 'cpu', '--data', `mine=${data}`],
	...['--epochs', '2', '--batch-size', '8', '--learning-rate', '1e-3', '--learn-temperature'],
	...['--eval-loss', `held=${data}`, '--eval-steps', '2', '--save-best', '--tensorboard'],
];
const train = (name: string, more: string[] = [], settings = {}) =>
	inbatch([...asked, '--output', at(name), ...more], settings);
const replay = (name: string, more: string[] = []) =>
	inbatch(['replay', at(name, 'run.json'), '--json', ...more]);
const leftovers = () => readdirSync(tmpdir()).filter(name => name.startsWith('inbatch-replay-'));

/** A copy of the finished run, of which something is then changed. */
function copyOf(name: string): string {
	cpSync(at('whole'), at(name), {recursive: true});
	return at(name);
}

beforeAll(async () => {
	const {code, stderr} = await train('whole');
	expect([code, stderr]).toEqual([0, expect.stringContaining('6 steps')]);
}, 120_000);

test('a finished run has the same bits again, with any threads', async () => {
	const before = leftovers();
	const {code, stdout, stderr} = await replay('whole', ['--threads', '1']);
	expect(JSON.parse(stdout)).toEqual({
		...{run: at('whole', 'run.json'), same: true, step: 6, steps: 6, evaluations: 4},
		...{tensors: expect.any(Number), differences: [], output: null},
		device: {recorded: 'cpu', here: 'cpu'},
		kernels: {recorded: expect.any(String), here: expect.any(String)},
	});
	expect(JSON.parse(stdout).tensors).toBeGreaterThan(30);
	expect([code, stderr]).toEqual([0, expect.stringContaining('the same bits: 6 logged steps')]);
	expect(leftovers()).toEqual(before);
});

test('a run that was stopped and resumed has them too, and one that was not is compared so far', async () => {
	const interrupt = {signal: 'SIGTERM' as const, at: 'step 2: '};
	const {code} = await train('stopped', ['--epochs', '9'], {interrupt});
	expect(code).toBe(143);
	const open = await replay('stopped', ['--output', at('kept')]);
	const {same, step, steps, output} = JSON.parse(open.stdout);
	expect({same, output}).toEqual({same: true, output: at('kept')});
	expect(steps).toBe(step);
	expect(existsSync(at('kept', 'checkpoints', `step-${step}`, 'trainer'))).toBe(true);
	await train('stopped', ['--epochs', '9', '--resume']);
	const whole = await replay('stopped');
	expect(JSON.parse(whole.stdout)).toMatchObject({same: true, step: 27, steps: 27});
});

test('checkpoints under other names are no part of what is compared', async () => {
	await train('named', ['--checkpoint-name', 'checkpoint-{step}', '--model-place', 'tuned']);
	rmSync(at('named', 'checkpoints'), {recursive: true});
	const {code, stdout} = await replay('named');
	const {tensors} = JSON.parse((await replay('whole')).stdout);
	expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({same: true, tensors})]);
});

test('other weights are found by the tensor', async () => {
	const path = join(copyOf('weights'), 'model.safetensors');
	const bytes = readFileSync(path);
	bytes[bytes.length - 3]! ^= 1;
	writeFileSync(path, bytes);
	const {code, stdout, stderr} = await replay('weights');
	const {same, differences} = JSON.parse(stdout);
	expect({same, differences}).toEqual({
		same: false,
		differences: [
			{
				...{kind: 'weights', file: 'model.safetensors', tensor: expect.any(String)},
				...{elements: expect.any(Number), different: 1},
			},
		],
	});
	expect([code, stderr]).toEqual([
		1,
		expect.stringMatching(/^error REPLAY_DIFFERENT: .*elements/m),
	]);
});

test('a tensor that one of them has not is found too', async () => {
	await addTensors(join(copyOf('more'), 'model.safetensors'), {
		extra: {dtype: 'F32', shape: [2, 2]},
	});
	const {code, stdout} = await replay('more');
	expect(JSON.parse(stdout).differences).toEqual([
		{...{kind: 'weights', file: 'model.safetensors'}, tensor: 'extra', elements: 4, different: 4},
	]);
	expect(code).toBe(1);
});

test('another number in the log is found by its step and field', async () => {
	const path = join(copyOf('log'), 'metrics.jsonl');
	const changed = readFileSync(path, 'utf8').replace(
		/("step":4,.*?"loss":)([\d.]+)/,
		(_, before, loss) => `${before}${Number(loss) + 1}`,
	);
	writeFileSync(path, changed);
	const {code, stdout, stderr} = await replay('log');
	expect(JSON.parse(stdout).differences).toMatchObject([{kind: 'metrics', step: 4, field: 'loss'}]);
	expect([code, stderr]).toEqual([1, expect.stringContaining('step 4: expected loss')]);
});

test.each([
	['data', () => writeFileSync(data, lines(rowsOf(25))), 'REPLAY_CHANGED', 'expected sha256'],
	['the model', () => addTensors(join(model, 'model.safetensors'), {}), 'nothing', 'the same bits'],
])('%s that changed since is named, or told to be the same', async (_, change, code, message) => {
	const kept = readFileSync(data);
	await change();
	const {stderr} = await replay('whole');
	writeFileSync(data, kept);
	expect(stderr).toContain(message);
	expect(/error (\w+)/.exec(stderr)?.[1] ?? 'nothing').toBe(code);
});

test('another model at the place of the old one is refused', async () => {
	const path = join(model, 'model.safetensors');
	const kept = readFileSync(path);
	const other = Buffer.from(kept);
	other[other.length - 3]! ^= 1;
	writeFileSync(path, other);
	const {code, stderr} = await replay('whole');
	writeFileSync(path, kept);
	expect([code, stderr]).toEqual([1, expect.stringMatching(/^error REPLAY_CHANGED: .*the model/m)]);
});

test('what is no run of a command is refused', async () => {
	const path = join(copyOf('library'), 'run.json');
	const {command: _, ...record} = JSON.parse(readFileSync(path, 'utf8'));
	writeFileSync(path, JSON.stringify(record));
	expect((await replay('library')).stderr).toContain('error FILE_FORMAT: ');
	rmSync(path);
	const missing = await replay('library');
	expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('FILE_NOT_FOUND')]);
	const none = await inbatch(['replay']);
	expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('OPTION_MISSING')]);
});
