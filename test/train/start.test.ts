// A run as an object: its events, and what it can be asked while it goes.

import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import {expect, test} from 'vitest';
import {readEvents} from '../../dist/files/event-records.js';
import {startTraining, type TrainEvent} from '../../dist/train/start.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {hashesOf, lines, loadTiny, metricsIn, quick, rowsOf} from './tiny.js';

const {folder, put} = temporaryFolder();
const at = (name: string) => join(folder, name);
const rows = rowsOf(24);
const pairs = put(
	'pairs.jsonl',
	lines(
		rows.map(({query}, n) => ({
			...{sentence1: query, sentence2: rows[(n * n) % 24]!.positive},
			score: (n * 7) % 6,
		})),
	),
);
const options = {...quick, epochs: 2, eval: `mine=${pairs}`, report: false};

test('its events tell of steps, evaluations and checkpoints in their order', async () => {
	const run = startTraining(await loadTiny(), {...options, evalSteps: 2, output: at('events')});
	const seen: string[] = [];
	for await (const event of run) {
		if (event.type !== 'message') seen.push(`${event.type} ${event.step}`);
	}
	expect(seen).toEqual([
		...['evaluation 0', 'step 1', 'step 2', 'evaluation 2', 'step 3', 'save 3', 'step 4'],
		...['evaluation 4', 'step 5', 'step 6', 'save 6', 'evaluation 6'],
	]);
	expect((await run.result).steps).toBe(6);
});

test('pausing, saving and evaluating in between change no bit', async () => {
	const model = await loadTiny();
	const whole = await train(model, {...options, output: at('whole')});
	const asked = await loadTiny();
	const output = at('asked');
	const run = startTraining(asked, {...options, output, saveSteps: 99, patience: 1, evalSteps: 99});
	const events = run[Symbol.asyncIterator]();
	const until = async (step: number) => {
		for (;;) {
			const {value} = await events.next();
			if (value?.type === 'step' && value.step === step) return;
		}
	};
	await until(2);
	run.pause();
	const [saved, scores] = await Promise.all([run.saveNow(), run.evaluateNow()]);
	const steps = metricsIn(output).filter(({loss}) => loss !== undefined).length;
	expect(saved).toBe(steps);
	expect(existsSync(join(output, 'checkpoints', `step-${saved}`, 'model.safetensors'))).toBe(true);
	await wait(300);
	expect(metricsIn(output).filter(({loss}) => loss !== undefined)).toHaveLength(steps);
	expect(run.isPaused).toBe(true);
	expect(metricsIn(output).at(-1)).toEqual({step: saved, evaluation: scores, requested: true});
	run.resume();
	const result = await run.result;
	expect(result.evaluation).toEqual(whole.evaluation);
	expect(await hashesOf(asked)).toEqual(await hashesOf(model));
});

test('what was evaluated on request stays in the logs of a run that goes on', async () => {
	const output = at('told');
	const asking = {...options, output, evalSteps: 2, saveSteps: 99, tensorboard: true};
	const run = startTraining(await loadTiny(), asking);
	for await (const event of run) {
		if (event.type !== 'step' || event.step !== 3) continue;
		run.pause();
		await run.evaluateNow();
		run.cancel(new Error('enough'));
		break;
	}
	await expect(run.result).rejects.toThrow('enough');
	const before = metricsIn(output).filter(({evaluation}) => evaluation !== undefined);
	const step = before.at(-1)!.step;
	expect(before.at(-1)).toMatchObject({requested: true});
	await train(await loadTiny(), {...asking, resume: true});
	const after = metricsIn(output).filter(({evaluation}) => evaluation !== undefined);
	expect(after.slice(0, before.length)).toEqual(before);
	expect(after.slice(before.length).map(entry => entry.requested)).not.toContain(true);
	const [events] = readdirSync(join(output, 'tensorboard'));
	const evaluated = [...readEvents(readFileSync(join(output, 'tensorboard', events!)))].filter(
		({tags}) => tags[0]?.startsWith('eval/'),
	);
	expect(evaluated.map(event => event.step)).toEqual(after.map(entry => entry.step));
	expect(step).toBeGreaterThanOrEqual(3);
});

test('leaving the loop leaves the run alone', async () => {
	const run = startTraining(await loadTiny(), {...options, output: at('left')});
	for await (const {type} of run) if (type === 'step') break;
	expect((await run.result).steps).toBe(6);
});

test('cancelling writes a checkpoint, and loop and result tell the reason', async () => {
	const reason = new Error('enough');
	const run = startTraining(await loadTiny(), {...options, output: at('cancelled')});
	const seen: TrainEvent[] = [];
	const looking = async () => {
		for await (const event of run) {
			seen.push(event);
			if (event.type === 'step' && event.step === 2) run.cancel(reason);
		}
	};
	const [loop, result] = await Promise.allSettled([looking(), run.result]);
	expect(loop).toEqual({status: 'rejected', reason});
	expect(result).toEqual({status: 'rejected', reason});
	const last = seen.findLast(({type}) => type === 'save');
	expect(last).toMatchObject({folder: expect.stringContaining('step-')});
});

test('cancelling ends a pause', async () => {
	const run = startTraining(await loadTiny(), {...options, output: at('paused')});
	run.pause();
	await wait(200);
	run.cancel(new Error('no more'));
	await expect(run.result).rejects.toThrow('no more');
});

test('saving before the first step waits for it', async () => {
	const run = startTraining(await loadTiny(), {...options, output: at('first')});
	expect(await run.saveNow()).toBe(1);
	expect(existsSync(join(at('first'), 'checkpoints', 'step-1'))).toBe(true);
	await run.result;
});

test('what cannot be done is refused', async () => {
	const run = startTraining(await loadTiny(), quick);
	run.pause();
	await expect(run.saveNow()).rejects.toMatchObject({code: 'OPTION_MISSING'});
	await expect(run.evaluateNow()).rejects.toMatchObject({code: 'OPTION_MISSING'});
	run.resume();
	await run.result;
	await expect(run.saveNow()).rejects.toMatchObject({code: 'DISPOSED'});
});
