// Options of train: how the parameters change, and which of them.

import {z} from 'zod';

const share = z.number().min(0).max(1);

export const optimizerOptions = {
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
};

export const parameterOptions = {
	dropout: z.number().min(0).max(0.999).optional().describe("dropout rate (default: the model's)"),
	freeze: z
		.array(z.string())
		.default([])
		.describe('parts that stay as they are: embeddings, positions, blocks:0-3'),
};
