// The one record that training sees, read from every layout people use: field names of five systems
// and of this package, tuples by position, texts alone or in lists or with a title. Nothing is
// guessed: what does not fit is refused by its place, and what is not used is named.

import {EngineError, kindOf} from '../errors.js';

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
}

/** What a record is to be: a query with positives, or a text alone, which takes the query's place. */
export type RowKind = 'pair' | 'text';

type Field = keyof TrainingRecord | 'text' | 'teacherScores';

/** The names of each field; where a record has several, the first here counts. */
const namesOf: Record<Field, readonly string[]> = {
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
		...['doc_ids', 'doc_id'],
	],
	negativeIds: ['negative_ids', 'negativeIds', 'negative_id', 'neg_ids', 'neg_id'],
	positiveScores: ['positive_scores', 'positiveScores', 'pos_scores', 'pos_score', 'scores'],
	negativeScores: ['negative_scores', 'negativeScores', 'neg_scores', 'neg_score'],
	teacherScores: ['teacher_scores', 'teacherScores'],
	label: ['label'],
	score: ['score'],
};

const fieldOf = new Map(
	Object.entries(namesOf).flatMap(([field, names]) =>
		names.map((name, rank) => [name, {field: field as Field, rank}] as const),
	),
);

/** Fields that say something of the positives and negatives. */
const documentFields = [
	...(['positiveIds', 'negativeIds', 'positiveScores', 'negativeScores', 'teacherScores'] as const),
];

const numberedNegative = /^(?:hard_)?neg(?:ative)?_?(\d+)$/;

/** A value of the record and the name it has there. */
interface Found {
	name: string;
	value: unknown;
	rank: number;
}

interface Fields {
	where: string;
	found: Partial<Record<Field, Found>>;
	numbered: {name: string; value: unknown; number: number}[];
	unknown: string[];
}

/** Reads one row. `where` begins every message; fields that are not used come back by name. */
export function parseRecord(
	value: unknown,
	where: string,
	kind: RowKind = 'pair',
): {record: TrainingRecord; unknownFields: string[]} {
	const fields = Array.isArray(value) ? fieldsOfTuple(value, where) : fieldsOfObject(value, where);
	if (kind === 'text') leaveDocuments(fields);
	else leave(fields, 'text');
	const record: TrainingRecord = {
		query: readQuery(fields),
		positives: kind === 'text' ? [] : readPositives(fields),
		negatives: readNegatives(fields),
	};
	assign(record, 'prompt', readPrompt(fields));
	assign(record, 'queryId', readIds(fields, 'queryId', 1)?.[0]);
	assign(record, 'positiveIds', readIds(fields, 'positiveIds', record.positives.length));
	assign(record, 'negativeIds', readIds(fields, 'negativeIds', record.negatives.length));
	assign(record, 'positiveScores', readScores(fields, 'positiveScores', record.positives.length));
	assign(record, 'negativeScores', readScores(fields, 'negativeScores', record.negatives.length));
	assignTeacherScores(record, fields);
	assign(record, 'score', readScores(fields, 'score', 1)?.[0]);
	assign(record, 'label', readLabel(fields));
	return {record, unknownFields: fields.unknown};
}

/** Whether a value means to be a record: it has a name or a position that only records have. */
export function isRecordLike(value: unknown): boolean {
	if (Array.isArray(value)) return value.length > 1 && typeof value[0] === 'string';
	if (typeof value !== 'object' || value === null) return false;
	const names = [...namesOf.query, ...namesOf.positives];
	return names.some(name => Object.hasOwn(value, name));
}

function refuse(where: string, expected: string, got: string): never {
	throw new EngineError('DATA_ROW', `${where}: expected ${expected}, got ${got}`);
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

/** Counts a field as not used. */
function leave({found, unknown}: Fields, field: Field): void {
	const left = found[field];
	if (left !== undefined) unknown.push(left.name);
	delete found[field];
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

function fieldsOfTuple(tuple: readonly unknown[], where: string): Fields {
	const [query, positive, ...rest] = tuple;
	if (tuple.length < 2) refuse(where, '[query, positive, …]', `an array of ${tuple.length}`);
	const found: Fields['found'] = {
		query: {name: '0', value: query, rank: 0},
		positives: {name: '1', value: positive, rank: 0},
	};
	if (rest.length === 1 && typeof rest[0] === 'number') {
		const label = {name: '2', value: rest[0], rank: 0};
		return {where, found: {...found, label}, numbered: [], unknown: []};
	}

	const numbered = rest.map((value, index) => ({name: `${index + 2}`, value, number: index}));
	return {where, found, numbered, unknown: []};
}

function fieldsOfObject(value: unknown, where: string): Fields {
	if (typeof value !== 'object' || value === null) refuse(where, 'an object', kindOf(value));
	const fields: Fields = {where, found: {}, numbered: [], unknown: []};
	for (const [name, content] of Object.entries(value)) {
		if (content !== null && content !== undefined) sortIn(fields, name, content);
	}

	fields.numbered.sort((a, b) => a.number - b.number);
	return fields;
}

function sortIn({found, numbered, unknown}: Fields, name: string, value: unknown): void {
	const known = fieldOf.get(name);
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

function readQuery(fields: Fields): string {
	const {where, found} = fields;
	const query = found.query;
	if (query === undefined) refuse(where, 'a "query"', listOf(fields));
	return readText(query.value, `"${query.name}"`, where);
}

function readPositives(fields: Fields): string[] {
	const {where, found} = fields;
	const positives = found.positives;
	if (positives === undefined) refuse(where, 'a "positive"', listOf(fields));
	const texts = readTexts(positives.value, positives.name, where);
	if (texts.length === 0) refuse(where, `"${positives.name}" to hold a text`, 'an empty array');
	return texts;
}

function readNegatives({where, found: {negatives}, numbered}: Fields): string[] {
	const listed = negatives === undefined ? [] : readTexts(negatives.value, negatives.name, where);
	return [...listed, ...numbered.flatMap(({name, value}) => readTexts(value, name, where))];
}

/** The fields that a record has instead of the one it lacks. */
function listOf({found, unknown}: Fields): string {
	const names = [...Object.values(found).map(({name}) => name), ...unknown].slice(0, 8);
	return names.length === 0 ? 'no fields' : `only ${names.map(name => `"${name}"`).join(', ')}`;
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

function readPrompt({where, found: {prompt}}: Fields): string | undefined {
	if (prompt === undefined || typeof prompt.value === 'string') return prompt?.value as string;
	return refuse(where, `"${prompt.name}" to be a string`, kindOf(prompt.value));
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
	if (list.length !== count) refuse(fields.where, `${count} in "${name}"`, `${list.length}`);
	return list.map(score => readNumber(score, name, fields.where));
}

/** A number; from CSV it comes as text. */
function readNumber(value: unknown, name: string, where: string): number {
	const isText = typeof value === 'string' && value.trim() !== '';
	const number = isText ? Number(value) : value;
	if (typeof number === 'number' && Number.isFinite(number)) return number;
	return refuse(
		where,
		`"${name}" to be a number`,
		isText ? `"${value.slice(0, 20)}"` : kindOf(value),
	);
}

/** A class by number. A label in words is for people, and a field not used. */
function readLabel({found: {label}, unknown, where}: Fields): number | undefined {
	if (label === undefined) return;
	const isWord = typeof label.value === 'string' && Number.isNaN(Number(label.value));
	if (!isWord) return readNumber(label.value, label.name, where);
	unknown.push(label.name);
	return;
}
