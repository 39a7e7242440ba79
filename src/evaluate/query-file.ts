// Queries with the places of their documents in a corpus, or with answers: LLM-Embedder's evaluation data.
//
// `{query, query_id?, pos_index?, answers?, task?}` a line, beside a corpus of `{title?, text}` or
// other columns. Documents are called by their line, from 0. Both files are read and checked first.

import {EngineError, kindOf} from '../errors.js';
import type {IdentifiedText, RetrievalSet} from './beir.js';
import {badField, type JsonRow, readJsonRows, stringField} from './json-rows.js';

export type CorpusOptions = {
	/** A file of documents. */
	corpus: string;
	/** The text of a document by its columns. Default `{title} {text}`, where a title may be missing. */
	template?: string | undefined;
};

type Options = CorpusOptions & {signal?: AbortSignal | undefined};

/** What the first line of a file says of it; nothing where it is no query. */
export async function queryFileKind(
	path: string,
): Promise<{holds: 'documents' | 'answers'; task: string | undefined} | undefined> {
	for await (const [row] of readJsonRows(path)) {
		const {query, pos_index: places, answers, task} = row?.fields ?? {};
		if (typeof query !== 'string') return undefined;
		if (!Array.isArray(places) && !Array.isArray(answers)) return undefined;
		const holds = Array.isArray(places) ? 'documents' : 'answers';
		return {holds, task: typeof task === 'string' ? task : undefined};
	}

	return undefined;
}

/** Reads and checks the queries and their corpus. */
export async function readQueryFile(
	path: string,
	{corpus, template, signal}: Options,
): Promise<RetrievalSet> {
	const textOf = templated(template);
	const documents = await countDocuments(corpus, {textOf, signal});
	const found = await readQueries(path, {documents, signal});
	const documentIds = Array.from({length: documents}, (_, line) => String(line));
	const read = () => readDocuments(corpus, {textOf, documents, signal});
	return {
		name: path,
		split: 'test',
		...found,
		documents: {[Symbol.asyncIterator]: read},
		documentIds,
		unknownQueries: 0,
		unknownDocuments: 0,
	};
}

type Queries = Pick<
	RetrievalSet,
	'queries' | 'judgements' | 'answers' | 'queriesWithoutJudgements'
>;

async function readQueries(
	path: string,
	{documents, signal}: {documents: number; signal: AbortSignal | undefined},
): Promise<Queries> {
	const queries: IdentifiedText[] = [];
	const judgements = new Map<string, Map<string, number>>();
	const answers = new Map<string, readonly string[]>();
	let line = 0;
	for await (const rows of readJsonRows(path, {signal})) {
		for (const row of rows) {
			const id = queryId(row, line++);
			const grades = gradesOf(row, documents);
			const known = answersOf(row);
			if (judgements.has(id) || answers.has(id)) {
				throw badField(row.where, 'query_id', 'of one query', `${id} again`);
			}

			if (grades.size > 0) judgements.set(id, grades);
			if (known.length > 0) answers.set(id, known);
			if (grades.size + known.length > 0) queries.push({id, text: stringField(row, 'query')});
		}
	}

	const queriesWithoutJudgements = line - queries.length;
	if (queries.length > 0) return {queries, judgements, answers, queriesWithoutJudgements};
	const message = `${path}: expected queries with pos_index or answers, got none`;
	throw new EngineError('DATA_EMPTY', message);
}

function queryId({where, fields: {query_id: id}}: JsonRow, line: number): string {
	if (id === undefined || id === null) return String(line);
	if (typeof id === 'string' || Number.isSafeInteger(id)) return String(id);
	throw badField(where, 'query_id', 'a string or a whole number', kindOf(id));
}

function gradesOf({where, fields}: JsonRow, documents: number): Map<string, number> {
	const places = fields.pos_index ?? [];
	const isPlace = (place: unknown) =>
		Number.isSafeInteger(place) && (place as number) >= 0 && (place as number) < documents;
	if (!Array.isArray(places) || !places.every(isPlace)) {
		const expected = `lines of the corpus, 0 to ${documents - 1}`;
		throw badField(where, 'pos_index', expected, JSON.stringify(places));
	}

	return new Map(places.map(place => [String(place), 1]));
}

function answersOf({where, fields}: JsonRow): string[] {
	const answers = fields.answers ?? [];
	if (Array.isArray(answers) && answers.every(answer => typeof answer === 'string')) return answers;
	throw badField(where, 'answers', 'an array of strings', kindOf(answers));
}

type TextOf = (row: JsonRow) => string;

/** A document's text; columns that a template names must be there. */
function templated(template: string | undefined): TextOf {
	if (template === undefined) {
		return row => {
			const {title = ''} = row.fields;
			if (typeof title !== 'string') throw badField(row.where, 'title', 'a string', kindOf(title));
			return `${title} ${stringField(row, 'text')}`.trim();
		};
	}

	if (!/\{\w+\}/.test(template)) {
		const message = `eval-template: expected columns in braces, as {text}, got ${template}`;
		throw new EngineError('OPTION_RANGE', message);
	}

	return row => template.replaceAll(/\{(\w+)\}/g, (_, column: string) => stringField(row, column));
}

type Reading = {textOf: TextOf; signal: AbortSignal | undefined};

async function countDocuments(path: string, {textOf, signal}: Reading): Promise<number> {
	let count = 0;
	for await (const rows of readJsonRows(path, {signal})) {
		for (const row of rows) textOf(row);
		count += rows.length;
	}

	if (count > 0) return count;
	throw new EngineError('FILE_EMPTY', `${path}: expected documents, got none`);
}

async function* readDocuments(
	path: string,
	{textOf, documents, signal}: Reading & {documents: number},
): AsyncGenerator<IdentifiedText, void, undefined> {
	let line = 0;
	for await (const rows of readJsonRows(path, {signal})) {
		for (const row of rows) yield {id: String(line++), text: textOf(row)};
	}

	if (line === documents) return;
	const expected = `expected the ${documents} documents that were there at first`;
	throw new EngineError('FILE_FORMAT', `${path}: ${expected}, got ${line}; leave the file alone`);
}
