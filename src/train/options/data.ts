// Options of train: which rows a step reads, and what they are to the loss.

import {z} from 'zod';
import {EngineError} from '../../errors.js';

const count = z.number().int().positive();

export const rowOptions = {
	order: z.enum(['shuffle', 'file']).default('shuffle').describe('order of the rows'),
	allowDuplicates: z
		.boolean()
		.default(false)
		.meta({description: 'let a text stand twice in a batch', off: 'no-duplicates'}),
	negatives: z
		.union([z.literal('all'), z.number().int().min(0)])
		.default('all')
		.describe('hard negatives of a row'),
	negativeChoice: z
		.enum(['first', 'random', 'teacherTop', 'teacherBottom'])
		.default('first')
		.describe('which negatives; teacherTop: those of the highest teacher scores'),
	positives: z
		.enum(['first', 'random', 'each', 'all', 'teacher', 'teacherPositive'])
		.default('first')
		.describe(
			'which positives; teacher: the highest score of all texts, teacherPositive: of the positives',
		),
	resample: z
		.enum(['epoch', 'once'])
		.default('epoch')
		.describe('when random choices are made anew'),
	onShortage: z
		.enum(['tile', 'tileOrDrop', 'replace', 'fewer', 'drop', 'error'])
		.default('fewer')
		.describe('what to do with a row of too few negatives'),
	map: z
		.union([z.array(z.string()), z.record(z.string(), z.string())])
		.optional()
		.meta({
			description: 'how the data call a field, as query=title; may be repeated',
			expected: 'field=name',
			placeholder: 'FIELD=NAME',
		}),
	queryMaxLength: count.optional().describe('longest query in tokens'),
	documentMaxLength: count.optional().describe('longest document in tokens'),
};

type Choosing = {
	[K in 'negatives' | 'negativeChoice' | 'positives' | 'resample' | 'onShortage']?: unknown;
};

/** Refuses choices that nothing would make: all negatives are neither drawn nor too few. */
export function expectChoices(
	{negatives, negativeChoice, positives, resample, onShortage = 'fewer'}: Choosing,
	{setOption = [], where}: {setOption?: readonly string[] | undefined; where: string},
): void {
	const refuse = (expected: string, beside: string, got: string): never => {
		const message = `${where}: expected ${expected} beside ${beside}, got ${got}`;
		throw new EngineError('OPTION_CONFLICT', message);
	};
	const isDrawn = negativeChoice === 'random' || setOption.some(text => text.endsWith('=random'));
	if (negatives === 'all') {
		if (negativeChoice === 'random')
			refuse('a number of negatives', 'negative-choice random', 'all');
		if (onShortage !== 'fewer') refuse('a number of negatives', `on-shortage ${onShortage}`, 'all');
	}
	if (resample !== 'once' || positives === 'random' || isDrawn || onShortage === 'replace') return;
	refuse('positives or negative-choice random', 'resample once', 'nothing that is drawn');
}

export const teacherOptions = {
	teacherVectors: z
		.string()
		.min(1)
		.optional()
		.describe("file of a teacher's vectors, a row for each record: NumPy, or float32 end to end"),
	teacherWidth: count.optional().describe('columns of a file of vectors without a header'),
	evalTeacherVectors: z
		.union([z.array(z.string().min(1)), z.string().min(1)])
		.optional()
		.meta({
			description:
				"files of a teacher's vectors for the held-out rows of --eval-loss, by their names",
			expected: 'files, or name=file',
			placeholder: '[NAME=]FILE',
			variadic: true,
		}),
	guide: z
		.string()
		.optional()
		.describe('a model whose cosines say what is a false negative, for the mask guide'),
	knownPositives: z
		.string()
		.optional()
		.describe('a file of judgements that names more positives, for the mask known'),
	suspects: z
		.boolean()
		.default(false)
		.describe(
			'write the pairs of the highest scores that margin, guide or teacher mask to suspects.jsonl',
		),
};
