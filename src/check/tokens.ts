// Lengths in tokens, as training would have them: with the prompt and the special tokens.

import {type ParseRule, parseRecord} from '../data/record.js';
import type {SourceFile} from '../data/source-file.js';
import {EngineError} from '../errors.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {giveTurn} from '../pace.js';
import type {PromptRules} from '../train/prompts.js';
import {type Findings, placeOf, shown} from './findings.js';
import type {CheckSettings} from './options.js';
import type {Role} from './record-checks.js';
import {Tally} from './tallies.js';

const batchTexts = 1024;
const batchCharacters = 2 ** 20;

/** Longer than any text is. */
const unlimited = 2 ** 30;

interface Text {
	role: Role;
	text: string;
	prompt: string;
	where: string;
}

export class TokenLengths {
	readonly tokens: Record<Role, Tally> = {query: new Tally(), document: new Tally()};
	readonly maxLength: Record<Role, number>;
	readonly #model: EmbeddingModel;
	readonly #prompts: PromptRules;
	readonly #findings: Findings;
	#waiting: Text[] = [];
	#characters = 0;

	constructor(
		{model, prompts}: {model: EmbeddingModel; prompts: PromptRules},
		settings: CheckSettings,
		findings: Findings,
	) {
		const {maxLength} = model;
		const {queryMaxLength = maxLength, documentMaxLength = maxLength} = settings;
		this.#model = model;
		this.#findings = findings;
		this.maxLength = {query: queryMaxLength, document: documentMaxLength};
		this.#prompts = prompts;
	}

	/** Reads the records of a file again; what is none is left, for it was told. */
	async read({format}: SourceFile, rule: ParseRule, signal?: AbortSignal): Promise<void> {
		for await (const slices of format.slices({signal})) {
			for (const {text, where} of slices) {
				const pause = giveTurn(signal);
				if (pause !== undefined) await pause;
				this.#take(() => parseRecord(format.parse(text, where), where, rule).record, where);
				if (this.#waiting.length < batchTexts && this.#characters < batchCharacters) continue;
				await this.#count(signal);
			}
		}

		await this.#count(signal);
	}

	#take(read: () => ReturnType<typeof parseRecord>['record'], where: string): void {
		try {
			const record = read();
			const {query, positives, negatives} = record;
			this.#push('query', query, this.#prompts.query(record), where);
			for (const text of [...positives, ...negatives]) {
				this.#push('document', text, this.#prompts.document(record), where);
			}
		} catch (error) {
			if (!(error instanceof EngineError)) throw error;
		}
	}

	#push(role: Role, text: string, ...[prompt, where]: [string, string]): void {
		this.#waiting.push({role, text, prompt, where});
		this.#characters += prompt.length + text.length;
	}

	async #count(signal?: AbortSignal): Promise<void> {
		const texts = this.#waiting;
		this.#waiting = [];
		this.#characters = 0;
		if (texts.length === 0) return;
		const {addSpecialTokens, lowerCase} = this.#model.folder;
		const {offsets} = await this.#model.tokenizer.encode(
			texts.map(({text}) => text),
			{
				...{maxLength: unlimited, addSpecialTokens, lowerCase, signal},
				prompts: texts.map(({prompt}) => prompt),
			},
		);
		for (const [n, {role, text, where}] of texts.entries()) {
			const length = offsets[n + 1]! - offsets[n]!;
			this.tokens[role].push(length);
			if (length <= this.maxLength[role]) continue;
			this.#findings.add('cut-text', () => ({
				...placeOf(where),
				text: `${length} tokens of ${this.maxLength[role]}: ${shown(text)}`,
			}));
		}
	}
}
