// Which prompt a text of the training gets: that of its record, then of the options, then of the table
// for its task, then the model's own.

import type {TrainingRecord} from '../data/record.js';
import type {RowTexts} from '../data/rows.js';
import {EngineError} from '../errors.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import type {ModelFolder} from '../model/folder.js';
import {documentPrompt} from '../model/outer-config.js';
import type {PromptSettings} from './options/prompts.js';
import {type PromptTable, readPromptTable} from './prompt-table.js';

export class PromptRules {
	/** Prompts by task, where the options name a table. */
	readonly table: PromptTable | undefined;
	readonly #settings: PromptSettings;
	readonly #own: {query: string; document: string};

	private constructor(
		settings: PromptSettings,
		own: {query: string; document: string},
		table: PromptTable | undefined,
	) {
		this.#settings = settings;
		this.#own = own;
		this.table = table;
	}

	static async open(
		{prompts}: Pick<EmbeddingModel, 'prompts'>,
		settings: PromptSettings,
	): Promise<PromptRules> {
		const {prompts: source, promptVersion, task} = settings;
		const own = {query: prompts['query'] ?? '', document: documentPrompt(prompts) ?? ''};
		const table = source === undefined ? undefined : await readPromptTable(source, promptVersion);
		if (table !== undefined && task !== undefined && table.of(task) === undefined) {
			const expected = `expected one of ${table.tasks.join(', ')}`;
			throw new EngineError('OPTION_RANGE', `task: ${expected}, got ${task}`);
		}
		return new PromptRules(settings, own, table);
	}

	query({prompt, task}: Pick<RowTexts, 'prompt' | 'task'>): string {
		return prompt ?? this.#settings.queryPrompt ?? this.#of(task)?.query ?? this.#own.query;
	}

	document({task}: Pick<RowTexts, 'task'>): string {
		return this.#settings.documentPrompt ?? this.#of(task)?.document ?? this.#own.document;
	}

	/** The prompts of texts that are of no record, as those of an evaluation. */
	of(task: string | undefined): {queryPrompt: string; documentPrompt: string} {
		const known = task === undefined ? {} : {task};
		return {queryPrompt: this.query(known), documentPrompt: this.document(known)};
	}

	/** What is worth saying where there are evaluations. */
	get remarks(): string[] {
		if (this.table === undefined || this.#of(undefined) !== undefined) return [];
		const hint = `--task says which of ${this.table.name}`;
		return [`evaluations use the prompts of the model and the options; ${hint}`];
	}

	/** Refuses a record of a task that the table does not know; nothing without a table. */
	get check(): ((record: TrainingRecord, where: string) => void) | undefined {
		const {table} = this;
		if (table === undefined) return undefined;
		return ({task}, where) => {
			if (this.#of(task) !== undefined) return;
			const expected = `expected a "task" of ${table.tasks.join(', ')}`;
			const hint = task === undefined ? 'none; give --task' : task;
			throw new EngineError('DATA_ROW', `${where}: ${expected}, got ${hint}`);
		};
	}

	/** The table's prompts for a record's task, or for that of the options. */
	#of(task: string | undefined) {
		return this.table?.of(task ?? this.#settings.task);
	}
}

/** Leaves prompts out of the pooling of a model, which its folder then says too. */
export function excludePrompts({towers}: Pick<EmbeddingModel, 'towers'>): void {
	for (const {folder} of towers) excludeFrom(folder);
}

function excludeFrom(folder: ModelFolder): void {
	const {pooling} = folder.spec.head;
	const among = pooling.filter(each => each !== 'cls' && each !== 'last');
	if (!folder.modules.isStatic && among.length > 0) {
		folder.modules.includePrompt = false;
		return;
	}
	const got = folder.modules.isStatic ? 'a table of embeddings' : pooling.join(' + ');
	throw conflict(`exclude-prompt: expected a pooling over all tokens, as mean, got ${got}`);
}

function conflict(message: string): EngineError {
	return new EngineError('OPTION_CONFLICT', message);
}
