// Options of train: evaluations on the way, checkpoints and the log.

import {z} from 'zod';

const count = z.number().int().positive();

export const evaluationOptions = {
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
	keep: z
		.union([z.literal('all'), count])
		.default(2)
		.describe('checkpoints that are kept'),
	saveBest: z.boolean().default(false).describe('whether the best checkpoint becomes the model'),
	loggingSteps: count.default(1).describe('steps between lines of metrics.jsonl'),
};
