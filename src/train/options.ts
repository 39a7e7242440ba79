// The options of training: one schema for the library and the command line.

import {z} from 'zod';
import {EngineError} from '../errors.js';
import {maskRules} from '../loss/false-negatives.js';
import {losses} from '../loss/index.js';
import {expectKnown, schedules} from './schedule.js';

const count = z.number().int().positive();
const share = z.number().min(0).max(1);

/** Options that a file, the environment or the command line can give. */
export const trainSchema = z.object({
	batchSize: count.default(64).describe('rows of one optimizer step: the batch the loss sees'),
	chunkTokens: z
		.union([z.literal('auto'), count])
		.default('auto')
		.describe('tokens of one forward and backward pass; never changes the mathematics'),
	epochs: z.number().positive().optional().describe('passes over the data (default 1)'),
	steps: count.optional().describe('optimizer steps, instead of epochs'),
	optimizer: z
		.enum(['adamw', 'adam', 'lion'])
		.default('adamw')
		.describe('adam: weight decay as a part of the gradient'),
	learningRate: z.number().positive().default(2e-5).describe('largest learning rate'),
	layerDecay: z
		.number()
		.positive()
		.max(1)
		.default(1)
		.describe('times this the rate falls from each block to the one before it'),
	learningRateFor: z
		.union([z.array(z.string()), z.record(z.string(), z.number().min(0))])
		.optional()
		.meta({
			description: 'another largest rate for some parameters, as head=1e-3; may be repeated',
			expected: 'pattern=rate',
			placeholder: 'PATTERN=LR',
		}),
	weightDecay: z
		.number()
		.min(0)
		.default(0.01)
		.describe('decay of matrices; biases and norms do not decay'),
	beta1: share.default(0.9).describe('decay of the first moment'),
	beta2: share.default(0.999).describe('decay of the second moment; of lion, of its only one'),
	epsilon: z.number().positive().default(1e-8).describe('epsilon of adamw and adam'),
	clip: z.number().min(0).default(1).describe('largest norm of all gradients together; 0: off'),
	schedule: z.enum(schedules).default('linear').describe('learning rate over the steps'),
	warmupRatio: share.optional().describe('share of the steps that warm up (default 0.1)'),
	warmupSteps: z
		.number()
		.int()
		.min(0)
		.optional()
		.describe('steps that warm up, instead of a share'),
	minLearningRate: z
		.number()
		.min(0)
		.optional()
		.describe('rate that cosine, polynomial, noam, wsd and cosine-annealing end at (default 0)'),
	restarts: z.number().int().min(0).optional().describe('how often cosine begins anew (default 0)'),
	power: z.number().positive().optional().describe('power of polynomial (default 1)'),
	decaySteps: count.optional().describe('steps of the fall of wsd (default: a tenth of all)'),
	constantSteps: z
		.number()
		.int()
		.min(0)
		.optional()
		.describe('steps of cosine-annealing at the end, at the smallest rate (default 0)'),
	timescale: count
		.optional()
		.describe('steps after which inverse-sqrt has fallen to 0.7 (default: the warm-up, or 10000)'),
	order: z.enum(['shuffle', 'file']).default('shuffle').describe('order of the rows'),
	allowDuplicates: z
		.boolean()
		.default(false)
		.meta({description: 'let a text stand twice in a batch', off: 'no-duplicates'}),
	negatives: z
		.union([z.literal('all'), z.number().int().min(0)])
		.default('all')
		.describe('hard negatives of a row'),
	negativeChoice: z.enum(['first', 'random']).default('first').describe('which negatives'),
	positives: z
		.enum(['first', 'random', 'each', 'all', 'teacher'])
		.default('first')
		.describe('which positives; teacher: of all texts the one of the highest score'),
	resample: z
		.enum(['epoch', 'once'])
		.default('epoch')
		.describe('when random choices are made anew'),
	onShortage: z
		.enum(['tile', 'replace', 'fewer', 'drop', 'error'])
		.default('fewer')
		.describe('what to do with a row of too few negatives'),
	map: z
		.union([z.array(z.string()), z.record(z.string(), z.string())])
		.optional()
		.meta({
			description: 'how the data call a field, as query=title; may be repeated',
			expected: 'field=name',
			placeholder: 'FIELD=NAME',
		}),
	queryMaxLength: count.optional().describe('longest query in tokens'),
	documentMaxLength: count.optional().describe('longest document in tokens'),
	queryPrompt: z.string().optional().describe("literal prompt of queries (default: the model's)"),
	documentPrompt: z
		.string()
		.optional()
		.describe("literal prompt of documents (default: the model's)"),
	teacherVectors: z
		.string()
		.min(1)
		.optional()
		.describe("file of a teacher's vectors, a row for each record: NumPy, or float32 end to end"),
	teacherWidth: count.optional().describe('columns of a file of vectors without a header'),
	dropout: z.number().min(0).max(0.999).optional().describe("dropout rate (default: the model's)"),
	freeze: z
		.array(z.string())
		.default([])
		.describe('parts that stay as they are: embeddings, positions, blocks:0-3'),
	guide: z
		.string()
		.optional()
		.describe('a model whose cosines say what is a false negative, for the mask guide'),
	knownPositives: z
		.string()
		.optional()
		.describe('a file of judgements that names more positives, for the mask known'),
	suspects: z
		.boolean()
		.default(false)
		.describe('write the pairs of the highest scores that margin or guide mask to suspects.jsonl'),
	evalSteps: count.optional().describe('steps between evaluations'),
	metric: z
		.string()
		.optional()
		.describe('what --save-best and --patience look at, as name/ndcg@10'),
	patience: count
		.optional()
		.describe('evaluations in a row without a rise of the metric that end the run'),
	minDelta: z
		.number()
		.min(0)
		.optional()
		.describe('what a rise of the metric must be above to count (default 0)'),
	saveSteps: count.optional().describe('steps between checkpoints (default: each epoch)'),
	keep: count.default(2).describe('checkpoints that are kept'),
	saveBest: z.boolean().default(false).describe('whether the best checkpoint becomes the model'),
	loggingSteps: count.default(1).describe('steps between lines of metrics.jsonl'),
	seed: z.number().int().min(0).max(0xffffffff).default(0).describe('of every random choice'),
});

export type TrainSettings = z.output<typeof trainSchema>;

const alternatives = [
	['steps', 'epochs'],
	['warmupSteps', 'warmupRatio'],
] as const satisfies (keyof TrainSettings)[][];

/**
Two options that say the same thing in two ways may not both be given, and those of one schedule not with
another.
*/
export function expectCompatible(settings: Partial<TrainSettings>, where: string): void {
	if (settings.schedule) expectKnown({...settings, schedule: settings.schedule});
	for (const names of alternatives) {
		if (names.some(name => settings[name] === undefined)) continue;
		const message = `${where}: expected one of ${names.join(' and ')}, got both`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
}

/**
Which loss, and options that several losses have. Without a value here, so that each loss has its own
defaults; what a loss does not know it refuses.
*/
export const lossSchema = z.object({
	loss: z
		.string()
		.default('infonce')
		.describe(`one of ${Object.keys(losses).join(', ')}`),
	temperature: z
		.number()
		.positive()
		.optional()
		.describe("what scores are divided by (infonce: 0.05; others: the loss's)"),
	learnTemperature: z.boolean().optional().describe('whether the temperature is trained'),
	similarity: z
		.enum(['cosine', 'dot'])
		.optional()
		.describe('score of two embeddings (default: cosine in most losses)'),
	labelSmoothing: z
		.number()
		.min(0)
		.max(0.999)
		.optional()
		.describe('share spread over all candidates (default 0)'),
	candidates: z
		.array(z.enum(['inBatchPositives', 'ownHard', 'otherHard']))
		.optional()
		.describe('what a query meets beside its own positive (default all)'),
	directions: z
		.array(z.enum(['qd', 'dq', 'qq', 'dd']))
		.min(1)
		.optional()
		.describe('one softmax each, and their mean (default qd)'),
	partition: z
		.enum(['separate', 'joint'])
		.optional()
		.describe('a softmax per direction, or one over all (default separate)'),
	dimensionsNested: z
		.array(count)
		.min(1)
		.optional()
		.describe('widths that embeddings are to be good at: the loss at each (Matryoshka)'),
	dimensionsWeights: z
		.array(z.number().min(0))
		.optional()
		.describe('what the loss at each width counts (default 1)'),
	dimensionsReduce: z
		.enum(['sum', 'mean'])
		.optional()
		.describe('how the losses of the widths become one (default sum)'),
	dimensionsRenormalize: z
		.boolean()
		.optional()
		.describe('whether cut embeddings get length 1 again (default true)'),
	mask: z
		.array(z.enum(maskRules))
		.optional()
		.describe('rules that take out likely false negatives (default none)'),
	maskMargin: z
		.number()
		.min(0)
		.optional()
		.describe('how far below its positive a score must lie to stay (default 0.05)'),
	maskRelative: z
		.number()
		.positive()
		.max(1)
		.optional()
		.describe("instead of a margin: the share of the positive's score"),
	queue: z
		.number()
		.int()
		.min(0)
		.optional()
		.describe('positives of earlier steps that every query meets too (default 0)'),
	lossOption: z.array(z.string()).default([]).describe('further options of the loss, as key=value'),
});

export type LossSettings = z.output<typeof lossSchema>;
