// The one record that training sees, whatever the layout it was read from (layouts/): texts alone
// or in lists or with a title. Nothing is guessed: what does not fit is refused by its place, and
// what is not used is named.

import {kindOf} from '../errors.js';
import {type Field, type Fields, hasField, leave, listOf, type Names, refuse} from './fields.js';
import {layoutOf} from './layouts/index.js';

export interface TrainingRecord {
	query: string;
	/** At least one; none of a text alone. */
	positives: string[];
	negatives: string[];
	/** What is put before this query; overrides every other prompt, also when empty. */
	prompt?: string;
	queryId?: string;
	/** One per positive, as the scores are. */
	positiveIds?: string[];
	negativeIds?: string[];
	positiveScores?: number[];
	negativeScores?: number[];
	label?: number;
	score?: number;
	/** Texts to be ranked for the query, and their ids. */
	candidates?: string[];
	candidateIds?: string[];
	/** Right answers, as a reader or a language model would give them. */
	answers?: string[];
	/** Earlier turns of a dialogue. */
	history?: string[];
	task?: string;
	/** The row of the teacher's vectors that belongs to the query. */
	teacherRow?: number;
}

/**
What a record is to be: a query with positives, or a text alone, which takes the query's place.
*/
export type RowKind = 'pair' | 'text';

/** How records are read. */
export interface ParseRule {
	/** Default pair. */
	kind?: RowKind | undefined;
	/** The names that the user gave to fields. */
	names?: Names | undefined;
	/** Whether the scores of a teacher choose the positive. Default false. */
	byTeacher?: ByTeacher | undefined;
	/** Whether negatives stand by their teacher's scores, the highest or the lowest first. */
	negativeOrder?: NegativeOrder | undefined;
}

/** The positive with the highest score of all texts, or of the positives alone. */
export type ByTeacher = boolean | 'positives';
export type NegativeOrder = 'teacherTop' | 'teacherBottom';

/** Fields that say something of the positives and negatives. */
const documentFields = [
	...(['positiveIds', 'negativeIds', 'positiveScores', 'negativeScores', 'teacherScores'] as const),
];

/** Reads one row. `where` begins every message; fields that are not used come back by name. */
export function parseRecord(
	value: unknown,
	where: string,
	{kind = 'pair', names, byTeacher = false, negativeOrder}: ParseRule = {},
): {record: TrainingRecord; unknownFields: string[]} {
	const fields = layoutOf(value, names).fields(value, {where, names});
	if (names !== undefined) expectGiven(fields, names);
	if (kind === 'text') leaveDocuments(fields);
	else leave(fields, 'text');
	const query = readQuery(fields, kind);
	const record: TrainingRecord = {
		query,
		positives: kind === 'text' ? [] : readPositives(fields, byTeacher === true),
		negatives: readNegatives(fields),
	};
	assign(record, 'prompt', readString(fields, 'prompt'));
	assign(record, 'queryId', readIds(fields, 'queryId', 1)?.[0]);
	assign(record, 'positiveIds', readIds(fields, 'positiveIds', record.positives.length));
	assign(record, 'negativeIds', readIds(fields, 'negativeIds', record.negatives.length));
	assign(record, 'positiveScores', readScores(fields, 'positiveScores', record.positives.length));
	assign(record, 'negativeScores', readScores(fields, 'negativeScores', record.negatives.length));
	assignTeacherScores(record, fields);
	assign(record, 'score', readScores(fields, 'score', 1)?.[0]);
	assign(record, 'label', readLabel(fields));
	assignContext(record, fields);
	const chosen = byTeacher === false ? record : chosenByTeacher(record, where, byTeacher);
	return {
		record: negativeOrder === undefined ? chosen : ordered(chosen, negativeOrder, where),
		unknownFields: [...new Set(fields.unknown)],
	};
}

/** Whether a value means to be a record: it has a name or a position that only records have. */
export function isRecordLike(value: unknown): boolean {
	return looksLikeRecord(value);
}

/** The same under names that the user gave; of texts alone also a text. */
export function looksLikeRecord(value: unknown, names?: Names, kind?: RowKind): boolean {
	if (Array.isArray(value)) return value.length > 1 && typeof value[0] === 'string';
	if (typeof value !== 'object' || value === null) return false;
	if (kind === 'text' && hasField(value, 'text', names)) return true;
	return hasField(value, 'query', names) || hasField(value, 'positives', names);
}

/** Refuses a record without the query or the positive that the user gave a name. */
function expectGiven(fields: Fields, names: Names): void {
	for (const [name, field] of names) {
		if (field !== 'query' && field !== 'positives') continue;
		if (fields.found[field]?.name === name) continue;
		refuse(fields.where, `a "${name}", as the map of names says`, listOf(fields));
	}
}

function assign<K extends keyof TrainingRecord>(
	record: TrainingRecord,
	key: K,
	value?: TrainingRecord[K],
): void {
	if (value !== undefined) record[key] = value;
}

/** One list for the positives and then the negatives. */
function assignTeacherScores(record: TrainingRecord, fields: Fields): void {
	const {positives, negatives} = record;
	const scores = readScores(fields, 'teacherScores', positives.length + negatives.length);
	if (scores === undefined) return;
	record.positiveScores = scores.slice(0, positives.length);
	record.negativeScores = scores.slice(positives.length);
}

/** The record whose positive is the text that its teacher scores highest, the first of equals. */
function chosenByTeacher(
	record: TrainingRecord,
	where: string,
	among: true | 'positives',
): TrainingRecord {
	const {positives, negatives, positiveScores = [], negativeScores = []} = record;
	const scores = [...positiveScores, ...negativeScores];
	const texts = [...positives, ...negatives];
	if (scores.length !== texts.length || texts.length === 0) {
		refuse(where, '"teacher_scores" of all texts, by which to choose', `${scores.length} scores`);
	}

	const open = among === true ? scores : positiveScores;
	const best = scores.indexOf(open.reduce((most, score) => Math.max(most, score)));
	const others = <T>(list: readonly T[]) => list.filter((_, index) => index !== best);
	if (best < positives.length) return onlyPositive(record, best);
	const ids = record.positives.length === (record.positiveIds ?? []).length;
	const {positiveIds: _, negativeIds, ...rest} = record;
	const own = best - positives.length;
	return {
		...rest,
		positives: [texts[best]!],
		negatives: others(texts).slice(positives.length),
		positiveScores: [scores[best]!],
		negativeScores: others(scores).slice(positives.length),
		...(ids && negativeIds && {positiveIds: [negativeIds[own]!]}),
		...(negativeIds && {negativeIds: negativeIds.filter((_, index) => index !== own)}),
	};
}

/** The record with its negatives by their scores; those of equal ones stay as they stood. */
function ordered(record: TrainingRecord, order: NegativeOrder, where: string): TrainingRecord {
	const {negatives, negativeScores: scores = [], negativeIds} = record;
	if (scores.length !== negatives.length) {
		refuse(
			where,
			'"teacher_scores" of the negatives, by which to choose',
			`${scores.length} scores`,
		);
	}

	const sign = order === 'teacherTop' ? -1 : 1;
	const places = Array.from(negatives.keys()).sort((a, b) => sign * (scores[a]! - scores[b]!));
	const inOrder = <T>(list: readonly T[]) => places.map(place => list[place]!);
	return {
		...record,
		negatives: inOrder(negatives),
		...(record.negativeScores && {negativeScores: inOrder(scores)}),
		...(negativeIds && {negativeIds: inOrder(negativeIds)}),
	};
}

/** The record with one of its positives. */
function onlyPositive(record: TrainingRecord, index: number): TrainingRecord {
	const {positives, positiveScores, positiveIds} = record;
	return {
		...record,
		positives: [positives[index]!],
		...(positiveScores && {positiveScores: [positiveScores[index]!]}),
		...(positiveIds && {positiveIds: [positiveIds[index]!]}),
	};
}

/** Makes the text the query, and leaves what goes with documents. */
function leaveDocuments(fields: Fields): void {
	const {found, numbered, unknown} = fields;
	if (found.query === undefined && found.text !== undefined) found.query = found.text;
	else leave(fields, 'text');
	leave(fields, 'positives');
	leave(fields, 'negatives');
	unknown.push(...numbered.splice(0).map(({name}) => name));
	for (const field of documentFields) leave(fields, field);
}

function readQuery(fields: Fields, kind: RowKind): string {
	const {where, found} = fields;
	const query = found.query;
	if (query === undefined)
		refuse(where, kind === 'text' ? 'a "text"' : 'a "query"', listOf(fields));
	return readText(query.value, `"${query.name}"`, where);
}

function readPositives(fields: Fields, canBeNone: boolean): string[] {
	const {where, found} = fields;
	const positives = found.positives;
	if (positives === undefined) refuse(where, 'a "positive"', listOf(fields));
	const texts = readTexts(positives.value, positives.name, where);
	if (texts.length > 0 || canBeNone) return texts;
	if (found.teacherScores === undefined) {
		refuse(where, `"${positives.name}" to hold a text`, 'an empty array');
	}

	const hint = 'use --positives teacher to take the one of the highest score';
	return refuse(where, 'a "positive"', `only texts with "${found.teacherScores.name}"; ${hint}`);
}

function readNegatives({where, found: {negatives}, numbered}: Fields): string[] {
	const listed = negatives === undefined ? [] : readTexts(negatives.value, negatives.name, where);
	return [...listed, ...numbered.flatMap(({name, value}) => readTexts(value, name, where))];
}

/** A text, or a list of them; a string is one element, never its characters. */
function readTexts(value: unknown, name: string, where: string): string[] {
	if (!Array.isArray(value)) return [readElement(value, `"${name}"`, where)];
	return value.map((element, index) => readElement(element, `"${name}[${index}]"`, where));
}

/** A text, or an object of title and text. */
function readElement(value: unknown, name: string, where: string): string {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		return readText(value, name, where);
	}

	const {title, text} = value as {title?: unknown; text?: unknown};
	const body = readText(text, `the text of ${name}`, where);
	if (title === undefined || title === null || title === '') return body;
	if (typeof title !== 'string')
		refuse(where, `the title of ${name} to be a string`, kindOf(title));
	return `${title} ${body}`.trim();
}

function readText(value: unknown, name: string, where: string): string {
	if (typeof value !== 'string') refuse(where, `${name} to be a string`, kindOf(value));
	if (value.trim() === '') refuse(where, `${name} to hold a text`, 'an empty one');
	return value;
}

function readString({where, found}: Fields, field: Field): string | undefined {
	const text = found[field];
	if (text === undefined || typeof text.value === 'string') return text?.value as string;
	return refuse(where, `"${text.name}" to be a string`, kindOf(text.value));
}

/** What goes with a record beside its texts; a string where a list is meant is one element. */
function assignContext(record: TrainingRecord, fields: Fields): void {
	assign(record, 'task', readString(fields, 'task'));
	assign(record, 'answers', readStrings(fields, 'answers'));
	assign(record, 'history', readStrings(fields, 'history'));
	assign(record, 'candidates', readStrings(fields, 'candidates'));
	const ids = fields.found.candidateIds?.value;
	const count = record.candidates?.length ?? (Array.isArray(ids) ? ids.length : 1);
	assign(record, 'candidateIds', readIds(fields, 'candidateIds', count));
}

function readStrings({where, found}: Fields, field: Field): string[] | undefined {
	const texts = found[field];
	if (texts === undefined) return;
	const list: unknown[] = Array.isArray(texts.value) ? texts.value : [texts.value];
	return list.map((text, index) => {
		if (typeof text === 'string') return text;
		return refuse(where, `"${texts.name}[${index}]" to be a string`, kindOf(text));
	});
}

/** Ids as strings, exactly. A list that does not go with the texts is left, as a field not used. */
function readIds(fields: Fields, field: Field, count: number): string[] | undefined {
	const ids = fields.found[field];
	if (ids === undefined) return;
	const list: unknown[] = Array.isArray(ids.value) ? ids.value : [ids.value];
	if (list.length === count) return list.map(id => readId(id, ids.name, fields.where));
	fields.unknown.push(ids.name);
	return;
}

function readId(id: unknown, name: string, where: string): string {
	if (typeof id === 'string') return id;
	if (Number.isSafeInteger(id)) return String(id);
	const got = typeof id === 'number' ? `${id}` : kindOf(id);
	return refuse(where, `"${name}" to be a string or a whole number below 2^53`, got);
}

function readScores(fields: Fields, field: Field, count: number): number[] | undefined {
	const scores = fields.found[field];
	if (scores === undefined) return;
	const {name, value} = scores;
	const list: unknown[] = Array.isArray(value) ? value : [value];
	if (list.length !== count) {
		const numbers = count === 1 ? 'number' : 'numbers';
		refuse(fields.where, `${count} ${numbers} in "${name}", one for each text`, `${list.length}`);
	}

	return list.map((score, index) => {
		return readNumber(score, Array.isArray(value) ? `${name}[${index}]` : name, fields.where);
	});
}

/** A number; from CSV it comes as text. */
function readNumber(value: unknown, name: string, where: string): number {
	const isText = typeof value === 'string' && value.trim() !== '';
	const number = isText ? Number(value) : value;
	if (typeof number === 'number' && Number.isFinite(number)) return number;
	if (typeof value === 'number') refuse(where, `"${name}" to be a finite number`, `${value}`);
	const got = isText ? `"${value.slice(0, 20)}"` : kindOf(value);
	return refuse(where, `"${name}" to be a number`, got);
}

/** A class by number. A label in words is for people, and a field not used. */
function readLabel({found: {label}, unknown, where}: Fields): number | undefined {
	if (label === undefined) return;
	const isWord = typeof label.value === 'string' && Number.isNaN(Number(label.value));
	if (!isWord) return readNumber(label.value, label.name, where);
	unknown.push(label.name);
	return;
}
