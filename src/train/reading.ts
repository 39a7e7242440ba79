// How options say that records are read.

import {byTeacherOf} from '../data/choose.js';
import type {DatasetOptions} from '../data/dataset.js';
import {mapOf} from '../data/fields.js';
import {perSetOf} from '../data/per-set.js';
import type {Loss, LossNeeds} from '../loss/loss.js';
import {needsCheck, type RecordCheck} from './needs.js';
import type {TrainSettings} from './options.js';
import type {PromptRules} from './prompts.js';

type Reading = 'kind' | 'map' | 'byTeacher' | 'negativeOrder' | 'expect' | 'expectKey';

/** For the rows that a loss is to see, under the prompts that they get. */
export function readingOf(
	settings: TrainSettings,
	loss: Loss,
	prompts: Pick<PromptRules, 'check' | 'table'>,
): Pick<DatasetOptions, Reading> {
	const {needs = {}} = loss;
	const {map, positives, negatives, negativeChoice, onShortage} = settings;
	const isOrdered = negativeChoice === 'teacherTop' || negativeChoice === 'teacherBottom';
	return {
		kind: needs.row,
		map: map && mapOf(map),
		byTeacher: byTeacherOf(positives),
		...(isOrdered && {negativeOrder: negativeChoice}),
		expect: allOf([needsCheck(loss, settings), prompts.check]),
		expectKey: JSON.stringify([askedBy(needs), negatives, onShortage, prompts.table?.contents]),
	};
}

/** The part of a loss's needs that records are checked for. */
function askedBy({negatives, label, scores, sets, otherSets}: LossNeeds): unknown {
	const bySet = sets && Object.entries(sets).map(([set, needs]) => [set, askedBy(needs)]);
	return [negatives, label, scores, bySet, otherSets && askedBy(otherSets)];
}

type Filtering = 'teacherMin' | 'teacherMargin' | 'filterLength' | 'perSet';

/** What the options say of single sets, and which records they leave out; of held-out ones none is. */
export function filtersIn({
	teacherMin,
	teacherMargin,
	filterLength,
	setOption,
}: TrainSettings): Pick<DatasetOptions, Filtering> {
	const perSet = setOption && perSetOf(setOption);
	return {teacherMin, teacherMargin, filterLength, ...(perSet && {perSet})};
}

/** One check that asks for everything; nothing where nothing is asked. */
function allOf(checks: readonly (RecordCheck | undefined)[]): RecordCheck | undefined {
	const asked = checks.filter(check => check !== undefined);
	if (asked.length === 0) return undefined;
	return (record, where, set) => {
		for (const check of asked) check(record, where, set);
	};
}
