// The fields of a record as they stand in a file, sorted by what they mean. Names are those of five
// systems and of this package; a user's own names come first.

import {EngineError, kindOf} from '../errors.js';
import {nearest} from '../option-names.js';

/** What a field can mean. */
export type Field = keyof typeof table;

/** The names of each field; where a record has several, the first here counts. */
const table = {
	text: ['text', 'sentence'],
	query: ['query', 'question', 'anchor', 'sentence1', 'text1'],
	positives: [
		...['positive', 'positives', 'pos', 'pos_doc'],
		...['passage', 'document', 'answer', 'sentence2', 'text2'],
	],
	negatives: ['negative', 'negatives', 'neg', 'neg_doc', 'hard_negative', 'hard_negatives'],
	prompt: ['prompt', 'prompt_for_query'],
	queryId: ['query_id', 'queryId', 'qid'],
	positiveIds: [
		...['positive_ids', 'positiveIds', 'positive_id', 'pos_ids', 'pos_id'],
		...['pos_index', 'doc_ids', 'doc_id'],
	],
	negativeIds: ['negative_ids', 'negativeIds', 'negative_id', 'neg_ids', 'neg_id', 'neg_index'],
	positiveScores: ['positive_scores', 'positiveScores', 'pos_scores', 'pos_score', 'scores'],
	negativeScores: ['negative_scores', 'negativeScores', 'neg_scores', 'neg_score'],
	teacherScores: ['teacher_scores', 'teacherScores'],
	candidates: ['candidates', 'key'],
	candidateIds: ['candidate_ids', 'candidateIds', 'key_index'],
	answers: ['answers'],
	history: ['history'],
	task: ['task'],
	label: ['label'],
	score: ['score'],
} as const satisfies Record<string, readonly string[]>;

const namesOf: Record<Field, readonly string[]> = table;

/** A value of the record and the name it has there. */
export interface Found {
	name: string;
	value: unknown;
	rank: number;
}

export interface Fields {
	where: string;
	found: Partial<Record<Field, Found>>;
	numbered: {name: string; value: unknown; number: number}[];
	unknown: string[];
}

/** Names that mean something else than they do by themselves, or nothing by themselves. */
export type Names = ReadonlyMap<string, Field>;

/** Where a record stands, and the names that its user gave. */
export interface Place {
	where: string;
	names?: Names | undefined;
}

const fieldOf = new Map(
	Object.entries(namesOf).flatMap(([field, names]) =>
		names.map((name, rank) => [name, {field: field as Field, rank}] as const),
	),
);

const numberedNegative = /^(?:hard_)?neg(?:ative)?_?(\d+)$/;

/** A list of `field=name` as an object; an object as it is. */
export function mapOf(
	map: readonly string[] | Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
	if (!Array.isArray(map)) return map as Readonly<Record<string, string>>;
	const entries = (map as readonly string[]).map(text => {
		const [, field, name] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
		if (field !== undefined && name !== undefined) return [field, name] as const;
		const message = `map: expected field=name, got ${JSON.stringify(text)}`;
		throw new EngineError('OPTION_TYPE', message);
	});
	const repeated = entries.find(([field], n) => entries.findIndex(each => each[0] === field) < n);
	if (repeated === undefined) return Object.fromEntries(entries);
	const message = `map: expected each field once, got ${repeated[0]} twice`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/**
The names that a user gave, as `field: name`; a field goes by any of its names.

@example
namesGiven({query: 'title', positive: 'body'});
*/
export function namesGiven(map: Readonly<Record<string, string>>): Names {
	const names = new Map<string, Field>();
	for (const [given, name] of Object.entries(map)) {
		const known = fieldOf.get(given);
		if (known === undefined) {
			const all = [...fieldOf.keys()];
			const expected = `expected a field, such as ${nearest(given, all)}`;
			throw new EngineError('OPTION_RANGE', `map: ${expected}, got "${given}"`);
		}

		const rival = names.has(name) || [...names.values()].includes(known.field);
		if (rival) {
			const message = `map: expected each field and each name once, got ${given}=${name} beside another`;
			throw new EngineError('OPTION_CONFLICT', message);
		}

		names.set(name, known.field);
	}

	return names;
}

/** Whether a record has one of the names of a field. */
export function hasField(value: object, field: Field, names?: Names): boolean {
	if (namesOf[field].some(name => Object.hasOwn(value, name))) return true;
	return [...(names ?? [])].some(([name, known]) => known === field && Object.hasOwn(value, name));
}

/** Whether a column of this name is one of a record. */
export function isFieldName(name: string, names?: Names): boolean {
	return fieldOf.has(name) || numberedNegative.test(name) || (names?.has(name) ?? false);
}

/** The fields of a record of named values. A value of null is not there. */
export function namedFields(value: object, {where, names}: Place): Fields {
	const fields: Fields = {where, found: {}, numbered: [], unknown: []};
	for (const [name, content] of Object.entries(value)) {
		if (content !== null && content !== undefined) sortIn(fields, {name, value: content}, names);
	}

	fields.numbered.sort((a, b) => a.number - b.number);
	return fields;
}

/** Puts a value in the place of a field, whatever was there. */
export function give(fields: Fields, field: Field, name: string, value: unknown): void {
	fields.found[field] = {name, value, rank: -1};
}

/** Takes the named fields out of those that are not used; returns their values. */
export function take<T extends string>(
	fields: Fields,
	value: object,
	names: readonly T[],
): Partial<Record<T, unknown>> {
	const taken: Partial<Record<T, unknown>> = {};
	for (const name of names) {
		const at = fields.unknown.indexOf(name);
		if (at >= 0) fields.unknown.splice(at, 1);
		taken[name] = (value as Record<string, unknown>)[name] ?? undefined;
	}

	return taken;
}

export function refuse(where: string, expected: string, got: string): never {
	throw new EngineError('DATA_ROW', `${where}: expected ${expected}, got ${got}`);
}

/** The fields that a record has instead of the one it lacks. */
export function listOf({found, unknown}: Fields): string {
	const all = [...Object.values(found).map(({name}) => name), ...unknown];
	const names = [...new Set(all)].slice(0, 8);
	return names.length === 0 ? 'no fields' : `only ${names.map(name => `"${name}"`).join(', ')}`;
}

/** Counts a field as not used. */
export function leave({found, unknown}: Fields, field: Field): void {
	const left = found[field];
	if (left !== undefined) unknown.push(left.name);
	delete found[field];
}

/** An array of objects, each with its name for messages. */
export function objectsOf(
	value: unknown,
	name: string,
	where: string,
): {name: string; object: Record<string, unknown>}[] {
	if (!Array.isArray(value)) refuse(where, `"${name}" to be an array`, kindOf(value));
	return value.map((element: unknown, index) => {
		const label = `${name}[${index}]`;
		const isObject = typeof element === 'object' && element !== null && !Array.isArray(element);
		if (!isObject) refuse(where, `"${label}" to be an object`, kindOf(element));
		return {name: label, object: element as Record<string, unknown>};
	});
}

function sortIn(
	{found, numbered, unknown}: Fields,
	{name, value}: Pick<Found, 'name' | 'value'>,
	names?: Names,
): void {
	const given = names?.get(name);
	const known = given === undefined ? fieldOf.get(name) : {field: given, rank: -1};
	if (known === undefined) {
		const number = numberedNegative.exec(name)?.[1];
		if (number === undefined) unknown.push(name);
		else numbered.push({name, value, number: Number(number)});
		return;
	}

	const rival = found[known.field];
	if (rival !== undefined) unknown.push(rival.rank < known.rank ? name : rival.name);
	if (rival === undefined || rival.rank > known.rank) {
		found[known.field] = {name, value, rank: known.rank};
	}
}
