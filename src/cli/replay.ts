// `inbatch replay`: runs the command of a run.json once more and proves or disproves that it gives the same bits.

import {mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {z} from 'zod';
import {EngineError} from '../errors.js';
import {sha256File} from '../files/hash.js';
import {isObject, readJsonObject} from '../model/config.js';
import {parseOptions} from '../options.js';
import {newestCheckpoint} from '../train/checkpoint.js';
import {type Compared, compareRuns, type Difference} from '../train/replay.js';
import {type Context, defineCommand} from './command.js';
import {runTraining, type TrainCommand, trainOptions} from './train.js';

const options = z.object({
	run: z.string().min(1).meta({
		description: 'the run.json of a run, in its folder',
		expected: 'a run.json',
		placeholder: 'FILE',
	}),
	output: z.string().min(1).optional().meta({
		description: 'keep the repeated run there (default: it is removed)',
		placeholder: 'DIR',
	}),
	threads: z.int().min(1).max(1024).optional().describe('threads; they change no bit'),
});

type Options = z.output<typeof options>;

/** What run.json says, as far as it is needed. */
type Recorded = {
	folder: string;
	command: TrainCommand;
	directory: string | undefined;
	data: readonly {path: string; sha256: string}[];
	fingerprint: string;
	device: string;
	kernels: string;
	/** Where the run ended; nothing for one that did not. */
	end: number | undefined;
};

/** What is compared: the run as it ended, or where its newest checkpoint stands. */
type Goal = {step: number; weights: string; isWhole: boolean};

type Summary = Compared & {
	run: string;
	same: boolean;
	step: number;
	device: {recorded: string; here: string};
	kernels: {recorded: string; here: string};
	output: string | null;
};

export const replay = defineCommand({
	options,
	bare: 'run',
	example: 'tuned/run.json',
	async run(settings, context) {
		const recorded = await recordedIn(resolve(settings.run));
		const kept = settings.output === undefined ? undefined : resolve(settings.output);
		if (kept !== undefined) await expectNothing(kept);
		// Paths of the command are those of where it was called.
		if (recorded.directory !== undefined) enter(recorded.directory);
		await expectSameData(recorded);
		const goal = await goalOf(recorded, context);
		const place = await mkdtemp(join(tmpdir(), 'inbatch-replay-'));
		try {
			const output = kept ?? join(place, 'run');
			const summary = await repeat(recorded, {goal, output, threads: settings.threads}, context);
			const result = {...summary, run: resolve(settings.run), output: kept ?? null};
			context.terminal.note(textOf(result));
			if (result.same) return result;
			await context.summarize(result);
			throw new EngineError(
				'REPLAY_DIFFERENT',
				`${settings.run}: ${differenceText(result.differences[0]!)}`,
			);
		} finally {
			await rm(place, {recursive: true, force: true});
		}
	},
});

async function recordedIn(path: string): Promise<Recorded> {
	const record = await readJsonObject(path);
	if (!record) throw new EngineError('FILE_NOT_FOUND', `${path}: expected a run.json, got none`);
	const {command, data, model, device, kernels, result} = record;
	const refuse = (expected: string, got: string): never => {
		throw new EngineError('FILE_FORMAT', `${path}: expected ${expected}, got ${got}`);
	};
	if (!isObject(model) || !Array.isArray(data))
		return refuse('the run.json of a run', 'another file');
	if (!isObject(command) || !isObject(command['options'])) {
		return refuse('the run of a command', "a program's own, which has to repeat its call itself");
	}
	const {directory} = command;
	return {
		folder: dirname(path),
		command: command['options'],
		directory: typeof directory === 'string' ? directory : undefined,
		data: data as Recorded['data'],
		fingerprint: String(model['fingerprint']),
		device: String(device),
		kernels: String(kernels),
		end: isObject(result) ? Number(result['steps']) : undefined,
	};
}

async function expectNothing(output: string): Promise<void> {
	const names = await readdir(output).catch(() => []);
	if (names.length === 0) return;
	const message = `${output}: expected no such output, got one; use another --output`;
	throw new EngineError('OUTPUT_EXISTS', message);
}

function enter(directory: string): void {
	try {
		process.chdir(directory);
	} catch {
		throw new EngineError(
			'FILE_NOT_FOUND',
			`${directory}: expected the folder in which the command was called, got nothing there`,
		);
	}
}

async function expectSameData({data}: Recorded): Promise<void> {
	for (const {path, sha256} of data) {
		const found = await sha256File(path);
		if (found === sha256) continue;
		const message = `${path}: expected sha256 ${sha256} as in the run, got ${found}`;
		throw new EngineError('REPLAY_CHANGED', message);
	}
}

async function goalOf({folder, end}: Recorded, {terminal}: Context): Promise<Goal> {
	if (end !== undefined) return {step: end, weights: folder, isWhole: true};
	const found = await newestCheckpoint(folder, message => terminal.warn(message));
	if (!found) {
		const message = `${folder}: expected a checkpoint to compare with, got none`;
		throw new EngineError('CHECKPOINT_INVALID', message);
	}
	const {step} = found.state;
	terminal.note(`the run did not end; it is compared up to its checkpoint of step ${step}`);
	return {step, weights: found.folder, isWhole: false};
}

type Repeating = Pick<Options, 'threads'> & {goal: Goal; output: string};

async function repeat(
	{folder, command, fingerprint, device, kernels}: Recorded,
	{goal, output, threads}: Repeating,
	context: Context,
): Promise<Omit<Summary, 'run' | 'output'>> {
	const alone = {report: false, tensorboard: false, ...(threads !== undefined && {threads})};
	const settings = parseOptions(trainOptions, {...command, ...alone, device, output}, 'run.json');
	const reached = new AbortController();
	const signal = AbortSignal.any([context.signal, reached.signal]);
	const here = {device, kernels};
	const training = runTraining(
		settings,
		{...context, signal},
		{
			onModel(model) {
				here.device = model.device;
				here.kernels = model.computing.kernels;
				if (here.kernels !== kernels) {
					context.terminal.warn(`the run was computed with ${kernels}, here it is ${here.kernels}`);
				}
				if (model.fingerprint === fingerprint) return;
				const message = `${settings.model}: expected the model ${fingerprint} of the run, got ${model.fingerprint}`;
				throw new EngineError('REPLAY_CHANGED', message);
			},
			onStep({step}) {
				if (!goal.isWhole && step === goal.step) reached.abort(reached);
			},
		},
	);
	await training.catch((error: unknown) => {
		if (error !== reached) throw error;
	});
	const weights = goal.isWhole ? output : join(output, 'checkpoints', `step-${goal.step}`);
	const compared = await compareRuns(
		{weights: goal.weights, log: join(folder, 'metrics.jsonl')},
		{weights, log: join(output, 'metrics.jsonl')},
		goal.step,
	);
	return {
		same: compared.differences.length === 0,
		step: goal.step,
		...compared,
		device: {recorded: device, here: here.device},
		kernels: {recorded: kernels, here: here.kernels},
	};
}

function textOf({same, steps, evaluations, tensors, differences}: Summary): string {
	const compared = `${steps} logged steps, ${evaluations} evaluations, ${tensors} tensors`;
	if (same) return `the same bits: ${compared}`;
	return ['other bits:', ...differences.map(differenceText)].join('\n');
}

function differenceText(difference: Difference): string {
	if (difference.kind === 'metrics') {
		const {step, field, expected, got} = difference;
		return `step ${step}: expected ${field} ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`;
	}
	const {file, tensor, elements, different} = difference;
	return `${file}: expected ${tensor} as in the run, got ${different} of ${elements} elements that differ`;
}
