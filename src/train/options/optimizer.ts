// Options of train: how the parameters change, and which of them.

import {z} from 'zod';
import {defaultClip, momentDefaults, optimizers} from '../optimizers.js';

const count = z.number().int().positive();
const share = z.number().min(0).max(1);

export const optimizerOptions = {
	optimizer: z
		.enum(optimizers)
		.default('adamw')
		.describe('adam: weight decay as a part of the gradient; adamw8: moments in 8 bits'),
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
	beta1: share.default(momentDefaults.beta1).describe('decay of the first moment'),
	beta2: share
		.default(momentDefaults.beta2)
		.describe('decay of the second moment; of lion, of its only one'),
	epsilon: z
		.number()
		.positive()
		.default(momentDefaults.epsilon)
		.describe('epsilon of adamw, adam and adamw8'),
	clip: z
		.number()
		.min(0)
		.default(defaultClip)
		.describe('largest norm of all gradients together; 0: off'),
	clipValue: z
		.number()
		.positive()
		.optional()
		.describe('largest magnitude of an element of a gradient, instead of a norm'),
};

/** Means of the weights over the steps, one of which becomes the model. */
export const averageOptions = {
	ema: z
		.number()
		.positive()
		.lt(1)
		.optional()
		.describe('decay of a mean of the weights that becomes the model, as 0.999'),
	averageFrom: z
		.number()
		.min(0)
		.lt(1)
		.optional()
		.describe('share of the run from which on the weights have a mean that becomes the model'),
	averageEvery: count.optional().describe('steps between weights of that mean (default 1)'),
};

export const parameterOptions = {
	dropout: z.number().min(0).max(0.999).optional().describe("dropout rate (default: the model's)"),
	freeze: z
		.array(z.string())
		.default([])
		.describe('parts that stay: embeddings, positions, blocks:0-3, layers, head, query, document'),
};
