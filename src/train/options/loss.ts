// Options of train: the loss, and what several losses have in common.

import {z} from 'zod';
import {maskRules} from '../../loss/false-negatives.js';
import {losses} from '../../loss/index.js';

const count = z.number().int().positive();

/**
Which loss, and options that several losses have. Without a value here, so that each loss has its own
defaults; what a loss does not know it refuses.
*/
export const lossSchema = z.object({
	loss: z
		.string()
		.default('infonce')
		.describe(
			`one of ${Object.keys(losses).join(', ')}; or several by weight, as infonce=1,cosent=0.5`,
		),
	lossFor: z
		.union([z.array(z.string()), z.record(z.string(), z.string())])
		.default([])
		.meta({
			description: 'the loss of a data set, instead of --loss; may be repeated',
			expected: 'set=loss',
			placeholder: 'SET=NAME',
			repeated: true,
		}),
	rDrop: z
		.number()
		.min(0)
		.optional()
		.describe('two passes under two dropouts; what their divergence counts (R-Drop; 4 is usual)'),
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
	lossOption: z.array(z.string()).default([]).meta({
		description:
			'further options of the loss, as key=value, of one of several as cosent.scale=10; may be repeated',
		placeholder: 'KEY=VALUE',
		repeated: true,
	}),
});

export type LossSettings = z.output<typeof lossSchema>;
