// Options of train: what a run leaves for people to look at.

import {z} from 'zod';

export const watchingOptions = {
	report: z
		.boolean()
		.default(true)
		.describe('write report.html: curves, tables and the hardest negatives on one page'),
};
