// Options of train: what a run leaves for people to look at.

import {z} from 'zod';

export const watchingOptions = {
	tensorboard: z
		.union([z.boolean(), z.string().min(1)])
		.default(false)
		.meta({
			description: 'write event files for TensorBoard, to tensorboard/ of the output or a folder',
			expected: 'true, false or a folder',
			placeholder: 'DIR',
		}),
	report: z
		.boolean()
		.default(true)
		.describe('write report.html: curves, tables and the hardest negatives on one page'),
};
