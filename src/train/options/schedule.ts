// Options of train: the learning rate over the steps.

import {z} from 'zod';
import {schedules} from '../schedule.js';

const count = z.number().int().positive();
const share = z.number().min(0).max(1);

export const scheduleOptions = {
	schedule: z.enum(schedules).default('linear').describe('learning rate over the steps'),
	warmupRatio: share.optional().describe('share of the steps that warm up (default 0.1)'),
	warmupSteps: z
		.number()
		.int()
		.min(0)
		.optional()
		.describe('steps that warm up, instead of a share'),
	scheduleSteps: count
		.optional()
		.describe('steps that the schedule is made for (default: those of the run)'),
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
};
