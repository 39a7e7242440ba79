// Options of train: how many rows a step has, and how many steps there are.

import {z} from 'zod';

const count = z.number().int().positive();

export const courseOptions = {
	batchSize: count.default(64).describe('rows of one optimizer step: the batch the loss sees'),
	accumulate: count.default(1).describe('batches of one optimizer step'),
	accumulation: z
		.enum(['pooled', 'separate'])
		.optional()
		.describe('the batches of a step as one for the loss, or the mean of their losses (pooled)'),
	chunkTokens: z
		.union([z.literal('auto'), count])
		.default('auto')
		.describe('tokens of one forward and backward pass; never changes the mathematics'),
	memoryLimit: z
		.number()
		.positive()
		.optional()
		.describe('GiB that the process may take (default: what the system leaves it)'),
	recompute: z
		.enum(['none', 'blocks'])
		.default('none')
		.describe('what backward computes again rather than keeps; never changes a bit'),
	epochs: z.number().positive().optional().describe('passes over the data (default 1)'),
	steps: count.optional().describe('optimizer steps, instead of epochs'),
	maxSteps: count.optional().describe('steps after which the run ends before its epochs do'),
	dropLast: z
		.boolean()
		.default(false)
		.describe('leave out batches that are not full, unless none is'),
};
