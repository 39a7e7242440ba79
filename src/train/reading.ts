// How options say that records are read.

import type {DatasetOptions} from '../data/dataset.js';
import {mapOf} from '../data/fields.js';
import type {Loss} from '../loss/loss.js';
import type {TrainSettings} from './options.js';

/** For the rows that a loss is to see; `name` is what a check of them goes by. */
export function readingOf(
	settings: TrainSettings,
	{needs = {}}: Loss,
	name: string,
): Pick<DatasetOptions, 'kind' | 'map' | 'byTeacher' | 'negativeOrder' | 'expectKey'> {
	const {map, positives, negatives, negativeChoice, onShortage} = settings;
	const isOrdered = negativeChoice === 'teacherTop' || negativeChoice === 'teacherBottom';
	return {
		kind: needs.row,
		map: map && mapOf(map),
		byTeacher: positives === 'teacher',
		...(isOrdered && {negativeOrder: negativeChoice}),
		expectKey: JSON.stringify([name, needs, negatives, onShortage]),
	};
}

/** Which records the options leave out; of held-out ones none is. */
export function filtersIn({
	teacherMin,
	teacherMargin,
	filterLength,
}: TrainSettings): Pick<DatasetOptions, 'teacherMin' | 'teacherMargin' | 'filterLength'> {
	return {teacherMin, teacherMargin, filterLength};
}
