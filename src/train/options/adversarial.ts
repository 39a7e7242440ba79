// Options of train: a second pass at weights that were moved against the model.

import {z} from 'zod';
import {attacks} from '../adversarial.js';

const count = z.number().int().positive();
const size = z.number().positive();

export const adversarialOptions = {
	adversarial: z
		.enum(attacks)
		.optional()
		.describe('train at moved weights too: the token table (fgm, pgd) or all matrices (awp)'),
	adversarialEpsilon: size
		.optional()
		.describe(
			'how far the table is moved (default 1), or an element of a matrix, as its share (0.2)',
		),
	adversarialRate: size
		.optional()
		.describe("length of a move: of pgd's (default 0.3), of awp's as a share of the matrix (0.01)"),
	adversarialSteps: count.optional().describe('moves of pgd (default 3)'),
	adversarialStart: count.optional().describe('the first step with such a pass (default 1)'),
};
