// Options of train: evaluations on the way, checkpoints and the log.

import {z} from 'zod';

const count = z.number().int().positive();

export const evaluationOptions = {
	evalCorpus: z.string().min(1).optional().meta({
		description:
			'documents that queries of --eval files find, by pos_index (lines from 0) or answers',
		placeholder: 'FILE',
	}),
	evalTemplate: z
		.string()
		.min(1)
		.optional()
		.describe('the text of a document of --eval-corpus by its columns (default {title} {text})'),
	evalLossRows: count
		.optional()
		.describe('the most records of each --eval-loss, its first ones (default: all)'),
	evalSteps: count.optional().describe('steps between evaluations'),
	metric: z
		.string()
		.optional()
		.describe('what --save-best, --keep-best and --patience look at, as name/ndcg@10 or name/loss'),
	greaterIsBetter: z
		.boolean()
		.optional()
		.describe('whether a greater --metric is better (default: unless its name ends in loss)'),
	patience: count
		.optional()
		.describe('evaluations in a row without a rise of the metric that end the run'),
	minDelta: z
		.number()
		.min(0)
		.optional()
		.describe('what a rise of the metric must be above to count (default 0)'),
	patienceSignificant: z
		.boolean()
		.default(false)
		.describe('a rise counts only if a paired test over queries or pairs has p < 0.05'),
	saveSteps: count.optional().describe('steps between checkpoints (default: each epoch)'),
	keep: z
		.union([z.literal('all'), count])
		.default(2)
		.describe('checkpoints that are kept'),
	keepBest: count
		.optional()
		.describe('checkpoints with the best --metric that are kept beside --keep'),
	modelPlace: z
		.string()
		.min(1)
		.optional()
		.describe('folder in the output that becomes the model folder (default: the output itself)'),
	checkpointName: z
		.string()
		.min(1)
		.optional()
		.describe(
			'a link to each checkpoint in the output, as checkpoint-{step}; {epoch}, {rows}, {metric}',
		),
	saveBest: z.boolean().default(false).describe('whether the best checkpoint becomes the model'),
	loggingSteps: count.default(1).describe('steps between lines of metrics.jsonl'),
};
