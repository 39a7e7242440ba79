// The options of evaluation: one schema for the library and the command line.

import {z} from 'zod';
import {defaultCutoffs} from './metrics.js';

const count = z.int().min(1);

export const evaluateSchema = z.object({
	split: z
		.string()
		.regex(/^[\w.-]+$/)
		.default('test')
		.meta({
			description: 'the judgements of a retrieval set: qrels/<split>.tsv or qrels_<split>.tsv',
			expected: 'a plain name',
			placeholder: 'NAME',
		}),
	k: z
		.array(count)
		.min(1)
		.default([...defaultCutoffs])
		.describe('cut-offs of the metrics'),
	ties: z
		.enum(['trec', 'stable', 'expected'])
		.default('trec')
		.describe('how documents of equal score are ranked'),
	ignoreIdenticalIds: z
		.boolean()
		.default(false)
		.describe('drop a document whose id is that of the query'),
	queryPrompt: z
		.string()
		.optional()
		.describe("literal prompt of queries (default: the model's query prompt)"),
	documentPrompt: z
		.string()
		.optional()
		.describe("literal prompt of documents (default: the model's document prompt)"),
	dimensions: count.optional().describe('keep the first N columns (default: all)'),
	batchTokens: count
		.max(2 ** 26)
		.default(16384)
		.describe('tokens of one native call; never changes the result'),
	run: z.string().min(1).optional().meta({
		description: 'write the rankings of the one retrieval set as a TREC run',
		placeholder: 'FILE',
	}),
	overwrite: z.boolean().default(false).describe('replace an output that is there'),
	seed: z.int().min(0).max(0xffffffff).default(0).describe('seed of every random choice'),
});

export type EvaluateSettings = z.output<typeof evaluateSchema>;
