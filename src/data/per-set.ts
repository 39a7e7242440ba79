// Rules of single data sets that differ from those of the others: which positive, which negatives, how
// many records, which scores.

import {EngineError} from '../errors.js';
import {kebabCase, nearest} from '../option-names.js';
import {byTeacherOf, type ChoiceOptions} from './choose.js';
import {type FilterOptions, filtersOf} from './filters.js';
import type {LimitOptions} from './limits.js';
import type {RecordRule} from './row-index.js';

export type SetRule = Pick<ChoiceOptions, 'positives' | 'negativeChoice'> &
	Pick<LimitOptions, 'maxRows' | 'maxRowsChoice'> &
	Pick<FilterOptions, 'teacherMin' | 'teacherMargin'>;

/** Rules by the names of data sets. */
export type PerSet = ReadonlyMap<string, SetRule>;

const words = {
	positives: ['first', 'random', 'teacher', 'teacherPositive'],
	negativeChoice: ['first', 'random', 'teacherTop', 'teacherBottom'],
	maxRowsChoice: ['first', 'last', 'random'],
} as const;

const numbers = ['maxRows', 'teacherMin', 'teacherMargin'] as const;

const known = [...Object.keys(words), ...numbers];

/**
Rules as they are given, `name.option=value`.

@example
perSetOf(['books3.max-rows=10000']).get('books3'); // {maxRows: 10000}
*/
export function perSetOf(given: readonly string[]): PerSet {
	const rules = new Map<string, Record<string, string | number>>();
	for (const text of given) {
		const [, set, option, value] = /^(.+)\.([A-Za-z-]+)=(.+)$/s.exec(text) ?? [];
		if (set === undefined || option === undefined || value === undefined) {
			const expected = 'expected SET.OPTION=VALUE, as faq.max-rows=100';
			throw new EngineError('OPTION_TYPE', `set-option: ${expected}, got ${text}`);
		}

		const key = option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
		const rule = rules.get(set) ?? {};
		if (Object.hasOwn(rule, key)) {
			const message = `set-option: expected ${set}.${option} once, got it twice`;
			throw new EngineError('OPTION_CONFLICT', message);
		}

		rules.set(set, {...rule, [key]: settingOf(key, value, text)});
	}

	return rules as PerSet;
}

function settingOf(key: string, value: string, text: string): string | number {
	const refuse = (expected: string): never => {
		throw new EngineError('OPTION_RANGE', `set-option: expected ${expected}, got ${text}`);
	};
	if (Object.hasOwn(words, key)) {
		const allowed: readonly string[] = words[key as keyof typeof words];
		return allowed.includes(value) ? value : refuse(`one of ${allowed.join(', ')}`);
	}

	if (!(numbers as readonly string[]).includes(key)) {
		const names = known.map(kebabCase);
		return refuse(`an option of ${names.join(', ')}, such as ${nearest(kebabCase(key), names)}`);
	}

	const number = Number(value);
	const isCount = key !== 'maxRows' || (Number.isSafeInteger(number) && number > 0);
	if (Number.isFinite(number) && value.trim() !== '' && isCount) return number;
	return refuse(key === 'maxRows' ? 'a whole number above 0' : 'a number');
}

/** Refuses rules of sets that are not there. */
export function expectSets(rules: PerSet, sets: readonly {name: string}[]): void {
	const names = sets.map(({name}) => name);
	const stranger = [...rules.keys()].find(name => !names.includes(name));
	if (stranger === undefined) return;
	const expected = `expected names of data sets among ${names.join(', ')}`;
	throw new EngineError('OPTION_RANGE', `set-option: ${expected}, got ${stranger}`);
}

/** Refuses positives of single sets beside rows of all positives; says that there are rules. */
export function expectMixable(
	{positives}: Pick<ChoiceOptions, 'positives'>,
	rules: PerSet,
): boolean {
	const isWhole = positives === 'each' || positives === 'all';
	if (isWhole && [...rules.values()].some(rule => rule.positives !== undefined)) {
		const expected = 'expected positives first, random or teacher beside those of a set';
		throw new EngineError('OPTION_CONFLICT', `set-option: ${expected}, got ${positives}`);
	}

	return rules.size > 0;
}

/** How records of a set are read, which its own rule may say otherwise than that of all. */
export function readingOfSet(
	common: Omit<RecordRule, 'filters'>,
	filtering: FilterOptions,
	{positives, negativeChoice, teacherMin, teacherMargin}: SetRule = {},
): RecordRule {
	const {byTeacher, negativeOrder, ...rest} = common;
	const isOrdered = negativeChoice === 'teacherTop' || negativeChoice === 'teacherBottom';
	const order = negativeChoice === undefined ? negativeOrder : undefined;
	const filters = filtersOf({
		...filtering,
		...(teacherMin !== undefined && {teacherMin}),
		...(teacherMargin !== undefined && {teacherMargin}),
	});
	return {
		...rest,
		byTeacher: positives === undefined ? byTeacher : byTeacherOf(positives),
		negativeOrder: isOrdered ? negativeChoice : order,
		...(filters && {filters}),
	};
}
