import {expect, test} from 'vitest';
import {z} from 'zod';
import {kebabCase, nearest} from '../dist/option-names.js';
import {parseOptions} from '../dist/options.js';

const schema = z.object({
	batchSize: z.int().min(1).default(64).describe('rows'),
	rate: z.number().positive().max(1).optional(),
	chunk: z.union([z.literal('auto'), z.int().min(1)]).default('auto'),
	pooling: z.enum(['cls', 'mean']).optional(),
	cutoffs: z.array(z.int().min(1)).default([1, 3]),
	model: z.string(),
});

const codeOf = (value: unknown) => {
	try {
		return parseOptions(schema, value, 'fit');
	} catch (error) {
		const {code, message} = error as {code: string; message: string};
		return `${code} ${message}`;
	}
};

test('defaults are filled in and what is given stays', () => {
	expect(parseOptions(schema, {model: 'm', rate: 0.5}, 'fit')).toEqual({
		model: 'm',
		rate: 0.5,
		batchSize: 64,
		chunk: 'auto',
		cutoffs: [1, 3],
	});
});

test('an unknown option is refused and the nearest one named', () => {
	expect(codeOf({model: 'm', bacthSize: 3})).toBe(
		'OPTION_UNKNOWN fit: bacthSize: expected a known option, got bacthSize; did you mean batchSize?',
	);
});

test.each([
	[{}, 'OPTION_MISSING fit: model: expected a string, got nothing'],
	[{model: 5}, 'OPTION_TYPE fit: model: expected a string, got 5'],
	[{model: ['m']}, 'OPTION_TYPE fit: model: expected a string, got an array'],
	[
		{model: 'm', batchSize: 'x'},
		'OPTION_TYPE fit: batchSize: expected a whole number from 1, got "x"',
	],
	[
		{model: 'm', batchSize: 0},
		'OPTION_RANGE fit: batchSize: expected a whole number from 1, got 0',
	],
	[
		{model: 'm', batchSize: 1.5},
		'OPTION_RANGE fit: batchSize: expected a whole number from 1, got 1.5',
	],
	[
		{model: 'm', rate: Number.NaN},
		'OPTION_RANGE fit: rate: expected a number above 0 to 1, got NaN',
	],
	[
		{model: 'm', chunk: 'all'},
		'OPTION_RANGE fit: chunk: expected auto or a whole number from 1, got "all"',
	],
	[
		{model: 'm', chunk: true},
		'OPTION_TYPE fit: chunk: expected auto or a whole number from 1, got true',
	],
	[{model: 'm', pooling: 'max'}, 'OPTION_RANGE fit: pooling: expected one of cls, mean, got "max"'],
	[
		{model: 'm', cutoffs: [3, 0]},
		'OPTION_RANGE fit: cutoffs: expected a list, each a whole number from 1, got an array',
	],
	['x', 'OPTION_TYPE fit: options: expected an object, got a string'],
])('%j is refused with a code and a sentence', (value, expected) => {
	expect(codeOf(value)).toBe(expected);
});

test('a place can be made from the name of the option', () => {
	expect(() => parseOptions(schema, {model: 'm', rate: 2}, key => `--${kebabCase(key)}`)).toThrow(
		'--rate: expected a number above 0 to 1, got 2',
	);
});

test('the nearest name takes the fewest edits', () => {
	expect(nearest('poling', ['model', 'pooling', 'prompt'])).toBe('pooling');
	expect(kebabCase('learnTemperature')).toBe('learn-temperature');
});
