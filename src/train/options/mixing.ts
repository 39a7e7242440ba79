// Options of train: how several data sets become one run, and which of their records are left out.

import {z} from 'zod';
import {rangeOf} from '../../data/filters.js';
import {homogeneousManners} from '../../data/homogeneous.js';
import {mixings, weightsOf} from '../../data/mixing.js';
import {perSetOf} from '../../data/per-set.js';
import {EngineError} from '../../errors.js';

export const mixingOptions = {
	mixing: z
		.enum(mixings)
		.optional()
		.describe('how rows of several data sets meet (default proportional: each row once)'),
	weight: z
		.union([z.array(z.string()), z.record(z.string(), z.number().positive())])
		.optional()
		.meta({
			description: 'with --mixing weighted, the weight of a data set, as faq=2; may be repeated',
			expected: 'name=W',
			placeholder: 'NAME=W',
		}),
	mixingTemperature: z
		.number()
		.positive()
		.optional()
		.describe('with --mixing temperature T, a set of n rows weighs n^(1/T)'),
	homogeneous: z
		.enum(homogeneousManners)
		.optional()
		.describe('with --mixing homogeneous, how batches of one set are made (default epoch)'),
};

export const filterOptions = {
	maxRows: z.number().int().positive().optional().describe('the most records of a data set'),
	maxRowsChoice: z
		.enum(['first', 'last', 'random'])
		.optional()
		.describe('which of them (default first)'),
	teacherMin: z
		.number()
		.optional()
		.describe('leave out records whose highest teacher score is lower'),
	teacherMargin: z
		.number()
		.min(0)
		.optional()
		.describe('leave out records whose teacher scores lie closer together'),
	setOption: z.array(z.string()).optional().meta({
		description: 'what holds for one data set, as faq.max-rows=100; may be repeated',
		placeholder: 'SET.OPTION=VALUE',
		repeated: true,
	}),
	filterLength: z.string().optional().meta({
		description: 'leave out records whose query or a positive has fewer or more characters',
		placeholder: 'MIN-MAX',
	}),
};

interface Mixed {
	mixing?: string | undefined;
	weight?: readonly string[] | Readonly<Record<string, number>> | undefined;
	mixingTemperature?: number | undefined;
	homogeneous?: string | undefined;
	maxRows?: number | undefined;
	maxRowsChoice?: string | undefined;
	order?: string | undefined;
	filterLength?: string | undefined;
	setOption?: readonly string[] | undefined;
}

/** Refuses options that nothing would use, and those that exclude each other. */
export function expectMixing(settings: Mixed, where: string): void {
	const {mixing, weight, mixingTemperature, homogeneous, maxRows, maxRowsChoice} = settings;
	const refuse = (expected: string, beside: string, got = 'none'): never => {
		const message = `${where}: expected ${expected} beside ${beside}, got ${got}`;
		throw new EngineError('OPTION_CONFLICT', message);
	};
	const expectKind = (kind: string, name: string, value: unknown) => {
		if (value !== undefined && mixing !== kind) refuse(`mixing ${kind}`, name, mixing);
	};
	const expectGiven = (kind: string, name: string, value: unknown) => {
		if (mixing !== kind || value !== undefined) return;
		const message = `${where}: expected ${name} beside mixing ${kind}, got none`;
		throw new EngineError('OPTION_MISSING', message);
	};
	if (weight !== undefined) weightsOf(weight);
	expectKind('weighted', 'weight', weight);
	expectGiven('weighted', 'weight', weight);
	expectKind('temperature', 'mixing-temperature', mixingTemperature);
	expectGiven('temperature', 'mixing-temperature', mixingTemperature);
	expectKind('homogeneous', 'homogeneous', homogeneous);
	if (mixing === 'homogeneous' && settings.order === 'file') {
		refuse('order shuffle', 'mixing homogeneous', 'file');
	}

	if (maxRowsChoice !== undefined && maxRows === undefined) refuse('max-rows', 'max-rows-choice');
	if (settings.setOption !== undefined) perSetOf(settings.setOption);
	if (settings.filterLength !== undefined) rangeOf(settings.filterLength);
}
