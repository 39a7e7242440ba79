// `inbatch train`: fine-tunes a model by any of the losses.

import {dirname} from 'node:path';
import {z} from 'zod';
import {mapOf, namesGiven} from '../data/fields.js';
import {EngineError} from '../errors.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {learnedPoolings} from '../model/learned-pooling.js';
import {newPartsOf, newPartsSchema} from '../model/new-parts.js';
import {poolings} from '../model/spec.js';
import {inGroup} from '../options.js';
import {presetNames} from '../presets/index.js';
import {evaluationGroup, expectCompatible, lossSchema, trainSchema} from '../train/options.js';
import {expectPatience} from '../train/patience.js';
import {ratesGiven} from '../train/rates.js';
import {startTraining} from '../train/start.js';
import type {TrainOptions} from '../train/train.js';
import type {TrainResult} from '../train/trainer.js';
import {type Context, defineCommand} from './command.js';
import {lossOf} from './loss-options.js';
import {modelOptions, openModel} from './model-options.js';
import {resultText, trainProgress} from './train-progress.js';
import {runSignals} from './train-signals.js';

const evaluations = {
	eval: z.array(z.string().min(1)).default([]).meta({
		description: 'retrieval sets and files of scored pairs, before and after the training',
		placeholder: '[NAME=]DIR|FILE',
		variadic: true,
	}),
	evalLoss: z.array(z.string().min(1)).default([]).meta({
		description: 'held-out rows, whose loss and in-batch accuracy are evaluated too',
		placeholder: '[NAME=]FILE',
		variadic: true,
	}),
};

/** Also what run.json keeps of a command. */
export const trainOptions = z.object({
	preset: z
		.string()
		.optional()
		.meta({
			description: `the documented command of ${presetNames.join(', ')} follows, as it is written`,
			placeholder: 'NAME COMMAND…',
		}),
	data: z.array(z.string().min(1)).min(1).meta({
		description: 'files, folders, patterns or hf://datasets/… of any layout; name=FILE names a set',
		expected: 'files or folders of training data',
		placeholder: '[NAME=]FILE',
		variadic: true,
	}),
	output: z.string().min(1).meta({
		description: 'the folder of the run, which becomes a model folder',
		expected: 'a folder to write',
		placeholder: 'DIR',
	}),
	overwrite: z.boolean().default(false).describe('replace an output that is there'),
	resume: z
		.boolean()
		.default(false)
		.describe('go on from the newest checkpoint of the output, to the same bits'),
	...modelOptions.shape,
	model: modelOptions.shape.model.optional(),
	pooling: z
		.enum([...poolings, ...learnedPoolings])
		.optional()
		.meta({...modelOptions.shape.pooling.meta()}),
	...inGroup(lossSchema.shape, 'Loss:'),
	...trainSchema.shape,
	...inGroup(evaluations, evaluationGroup),
	...inGroup(newPartsSchema.shape, 'New parts:'),
});

type Options = z.output<typeof trainOptions>;

export const train = defineCommand({
	options: trainOptions,
	example: '--model path/to/all-MiniLM-L6-v2 --data pairs.jsonl --output tuned',
	check: checkTraining,
	async run(settings, context) {
		try {
			const result = await runTraining(settings, context);
			context.terminal.note(resultText(result, settings.modelPlace));
			return result;
		} catch (error) {
			if (context.signal.aborted) context.terminal.note('with --resume the run goes on from here');
			throw error;
		}
	},
});

/** Refuses options that do not go together, before any file is opened. */
export function checkTraining(settings: Options): void {
	if (settings.preset !== undefined) {
		const expected = 'expected on the command line, before the command that it reads';
		throw conflict(`preset: ${expected}, got it from a file or the environment`);
	}
	expectTrainable(settings);
	if (settings.resume && settings.overwrite) {
		throw conflict('--resume: expected this or --overwrite, got both');
	}
	const isEvaluated = settings.eval.length > 0 || settings.evalLoss.length > 0;
	expectEvaluated(settings, isEvaluated);
	expectCompatible(settings, 'inbatch train');
	sourceOf(settings);
	newPartsOf(settings, 'inbatch train');
	expectPatience(settings, isEvaluated);
	if (settings.map !== undefined) namesGiven(mapOf(settings.map));
	ratesGiven(settings.learningRateFor);
	lossOf(settings, settings.data);
}

function expectTrainable({dtype}: Pick<Options, 'dtype'>): void {
	if (dtype !== 'int8') return;
	throw new EngineError(
		'DTYPE_UNSUPPORTED',
		'--dtype: expected f32 or bf16 for training, got int8',
	);
}

type Watching = Pick<TrainOptions, 'onStep'> & {
	/** Sees the model before it is trained. */
	onModel?: (model: EmbeddingModel) => void;
};

/** The model that is to be trained. */
export function openTrained(settings: Options, context: Context): Promise<EmbeddingModel> {
	const newParts = newPartsOf(settings, 'inbatch train');
	return openModel({...settings, model: sourceOf(settings), newParts}, context);
}

/** Trains as the options say, and shows how it goes. */
export async function runTraining(
	settings: Options,
	context: Context,
	{onModel, onStep}: Watching = {},
): Promise<TrainResult> {
	const signals = runSignals(context.terminal);
	const model = await openTrained(settings, context);
	try {
		onModel?.(model);
		const {stop, ...hooks} = await trainProgress(settings, context);
		const training = {...trainingOf(settings), ...hooks, signal: context.signal};
		const run = startTraining(model, {
			...training,
			onStep(step) {
				hooks.onStep?.(step);
				onStep?.(step);
			},
		});
		signals.reach(run);
		return await run.result.finally(stop);
	} finally {
		signals.stop();
		await model.dispose();
	}
}

/** The folder of the model; from scratch, of the tokenizer, which may lie beside the configuration. */
function sourceOf({model, init}: Pick<Options, 'model' | 'init'>): string {
	const source = model ?? (init === undefined ? undefined : dirname(init));
	if (source !== undefined) return source;
	const expected = modelOptions.shape.model.meta()?.['expected'];
	throw new EngineError('OPTION_MISSING', `--model: expected ${expected}, got none`);
}

/** Refuses options about evaluations where there are none. */
function expectEvaluated(settings: Options, isEvaluated: boolean): void {
	const {metric, greaterIsBetter, evalSteps, saveBest, keepBest, patience, evalCorpus} = settings;
	const needsEval = {
		'eval-steps': evalSteps,
		metric,
		'greater-is-better': greaterIsBetter,
		'save-best': saveBest || undefined,
		'keep-best': keepBest,
		patience,
		'eval-corpus': evalCorpus,
	};
	const asking = Object.entries(needsEval).find(([, value]) => value !== undefined)?.[0];
	if (asking === undefined || isEvaluated) return;
	throw conflict(`--${asking}: expected --eval or --eval-loss beside it, got none`);
}

/** The options of the library behind those of the command line. */
export function trainingOf(settings: Options): TrainOptions {
	const {data, output, overwrite, resume, eval: evaluations, evalLoss} = settings;
	const {loss, record: lossRecord} = lossOf(settings, data);
	const keys = Object.keys(trainSchema.shape) as (keyof typeof trainSchema.shape)[];
	const rest = Object.fromEntries(keys.map(key => [key, settings[key]]));
	const evaluated = {eval: evaluations, evalLoss};
	const command = {directory: process.cwd(), options: commandOf(settings)};
	const hub = {cache: settings.cache, offline: settings.offline};
	return {...rest, data, hub, output, overwrite, resume, ...evaluated, loss, lossRecord, command};
}

/** What a run can be repeated by. */
export type TrainCommand = Readonly<Record<string, unknown>>;

/** The options without those of the place and the machine. */
function commandOf(settings: Options): TrainCommand {
	const {output: _, overwrite: __, resume: ___, preset: ____, threads: _____, ...others} = settings;
	return others;
}

function conflict(message: string): EngineError {
	return new EngineError('OPTION_CONFLICT', message);
}
