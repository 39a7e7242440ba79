// Records by position, as open-retrievals takes them: [query, positive, negative, …], where
// positive and negatives may be lists, or [query, positive, label].

import {type Fields, refuse} from '../fields.js';
import type {Layout} from './layout.js';

export const tuple: Layout = {
	name: 'arrays [query, positive, …]',
	recognises: value => Array.isArray(value),
	fields(value, {where}) {
		const [query, positive, ...rest] = value as readonly unknown[];
		const {length} = value as readonly unknown[];
		if (length < 2) refuse(where, '[query, positive, …]', `an array of ${length}`);
		const found: Fields['found'] = {
			query: {name: '[0]', value: query, rank: 0},
			positives: {name: '[1]', value: positive, rank: 0},
		};
		if (rest.length === 1 && typeof rest[0] === 'number') {
			const label = {name: '[2]', value: rest[0], rank: 0};
			return {where, found: {...found, label}, numbered: [], unknown: []};
		}

		const numbered = rest.map((item, index) => ({
			name: `[${index + 2}]`,
			value: item,
			number: index,
		}));
		return {where, found, numbered, unknown: []};
	},
};
