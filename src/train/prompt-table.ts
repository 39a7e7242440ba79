// Prompts by task, in versions: a JSON file of a user's, or one of those of other systems that come
// with the package.

import {readdir, readFile, stat} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {EngineError, kindOf} from '../errors.js';
import {readFailure} from '../files/failures.js';
import {parseStrictJson} from '../files/strict-json.js';
import {isObject, type JsonObject} from '../model/config.js';
import {expectNoPipe} from '../pipes.js';

/** What stands before the texts of a task. */
export type TaskPrompts = {query: string; document: string};

/** The task that stands for every other. */
const anyTask = '*';

const shipped = fileURLToPath(new URL('../../models/prompts', import.meta.url));

export class PromptTable {
	/** For messages. */
	readonly name: string;
	readonly #tasks: ReadonlyMap<string, TaskPrompts>;

	constructor(name: string, tasks: ReadonlyMap<string, TaskPrompts>) {
		this.name = name;
		this.#tasks = tasks;
	}

	/** The prompts of a task; undefined: it has none, nor any for all tasks. */
	of(task: string | undefined): TaskPrompts | undefined {
		const own = task === undefined ? undefined : this.#tasks.get(task);
		return own ?? this.#tasks.get(anyTask);
	}

	/** The tasks, for messages. */
	get tasks(): string[] {
		return [...this.#tasks.keys()].filter(task => task !== anyTask);
	}

	/** All of it, by which runs are told apart. */
	get contents(): Record<string, TaskPrompts> {
		return Object.fromEntries(this.#tasks);
	}
}

/**
Reads `{task: {query, document}}`, or several of these as `{version?, versions: {name: …}}`. The task
`*` stands for all others; `key` is another name of `document`.

@example
const table = await readPromptTable('llm-embedder', 'e5');
table.of('qa'); // {query: 'query: ', document: 'passage: '}
*/
export async function readPromptTable(source: string, version?: string): Promise<PromptTable> {
	const path = await placeOf(source);
	await expectNoPipe(path);
	const text = await readFile(path, 'utf8').catch((error: unknown) => {
		throw readFailure(path, error);
	});
	const value = parsed(text, path);
	const {name, tasks} = versionIn(value, path, version);
	const where = name === undefined ? path : `${path}: ${name}`;
	const entries = Object.entries(tasks).map(
		([task, prompts]) => [task, promptsOf(prompts, `${where}: "${task}"`)] as const,
	);
	if (entries.length > 0) return new PromptTable(where, new Map(entries));
	throw new EngineError('FILE_EMPTY', `${where}: expected prompts by task, got none`);
}

/** A file that is there wins over a name. */
async function placeOf(source: string): Promise<string> {
	const isFile = await stat(source).then(
		found => !found.isDirectory(),
		() => false,
	);
	if (isFile) return source;
	const names = (await readdir(shipped)).map(file => file.replace(/\.json$/, ''));
	if (names.includes(source)) return join(shipped, `${source}.json`);
	const expected = `expected a file or one of ${names.sort().join(', ')}`;
	throw new EngineError('FILE_NOT_FOUND', `prompts: ${expected}, got ${source}`);
}

function parsed(text: string, path: string): JsonObject {
	let value: unknown;
	try {
		value = parseStrictJson(text.replace(/^\uFEFF/, ''));
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : '';
		const message = `${path}: expected prompts in JSON, got other text (${reason})`;
		throw new EngineError('FILE_FORMAT', message, {cause});
	}
	if (isObject(value)) return value;
	throw new EngineError('FILE_FORMAT', `${path}: expected prompts by task, got ${kindOf(value)}`);
}

/** The tasks of one version of the file. */
function versionIn(
	value: JsonObject,
	path: string,
	asked: string | undefined,
): {name: string | undefined; tasks: JsonObject} {
	const {version: standard, versions} = value;
	if (!isObject(versions)) {
		if (asked === undefined) return {name: undefined, tasks: value};
		const message = `${path}: expected "versions" with ${asked} among them, got prompts of one`;
		throw new EngineError('OPTION_RANGE', `prompt-version: ${message}`);
	}
	const names = Object.keys(versions);
	const name = asked ?? (standard === undefined && names.length === 1 ? names[0] : standard);
	const tasks = typeof name === 'string' && Object.hasOwn(versions, name) ? versions[name] : null;
	if (typeof name === 'string' && isObject(tasks)) return {name, tasks};
	const expected = `expected one of ${names.join(', ')}`;
	const got = name === undefined ? 'none' : String(name);
	throw new EngineError('OPTION_RANGE', `prompt-version: ${path}: ${expected}, got ${got}`);
}

const fields = ['query', 'document', 'key'];

function promptsOf(value: unknown, where: string): TaskPrompts {
	if (!isObject(value)) {
		const message = `${where}: expected "query" and "document", got ${kindOf(value)}`;
		throw new EngineError('FILE_FORMAT', message);
	}
	const stranger = Object.entries(value).find(
		([name, text]) => !fields.includes(name) || typeof text !== 'string',
	);
	if (stranger !== undefined) {
		const expected = `expected texts for "query" and "document"`;
		const message = `${where}: ${expected}, got "${stranger[0]}" of ${kindOf(stranger[1])}`;
		throw new EngineError('FILE_FORMAT', message);
	}
	const {query = '', document, key} = value as Record<string, string>;
	if (document === undefined || key === undefined) {
		return {query, document: document ?? key ?? ''};
	}
	throw new EngineError('FILE_FORMAT', `${where}: expected "document" or "key", got both`);
}
