// The options of check: those of training that decide what a record is and how long a text may be,
// and what the check itself looks for.

import {z} from 'zod';
import {courseOptions} from '../train/options/course.js';
import {rowOptions} from '../train/options/data.js';
import {promptOptions} from '../train/options/prompts.js';

const {positives, negatives, onShortage, map} = rowOptions;
const {queryMaxLength, documentMaxLength} = rowOptions;
const {excludePrompt: _, ...prompts} = promptOptions;

export const checkSchema = z.object({
	...{positives, negatives, onShortage, map, batchSize: courseOptions.batchSize},
	...{queryMaxLength, documentMaxLength},
	...prompts,
	split: z.string().default('test').describe('judgements of the folders of --eval'),
	near: z.boolean().default(true).meta({
		description: 'look for texts that are nearly the same',
	}),
	mine: z
		.number()
		.int()
		.min(0)
		.default(256)
		.describe('rows among which the model looks for false negatives; 0: none'),
	examples: z.number().int().min(0).default(5).describe('what is shown of each finding'),
	strict: z.boolean().default(false).describe('warnings fail the check as errors do'),
	seed: z.number().int().min(0).max(0xffffffff).default(0).describe('of every random choice'),
});

export type CheckSettings = z.output<typeof checkSchema>;
