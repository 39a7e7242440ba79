// Options of train: what stands before texts, and whether it takes part in pooling.

import {z} from 'zod';
import {EngineError} from '../../errors.js';

export const promptOptions = {
	queryPrompt: z.string().optional().describe("literal prompt of queries (default: the model's)"),
	documentPrompt: z
		.string()
		.optional()
		.describe("literal prompt of documents (default: the model's)"),
	prompts: z.string().min(1).optional().meta({
		description: 'prompts by task: a JSON file, or one of llm-embedder, nemo, rag-retrieval',
		placeholder: 'FILE|NAME',
	}),
	promptVersion: z
		.string()
		.min(1)
		.optional()
		.describe('the version of these prompts (default: as their file says)'),
	task: z.string().min(1).optional().describe('the task of records that name none, for --prompts'),
	excludePrompt: z
		.boolean()
		.default(false)
		.describe('leave the tokens of prompts out of pooling, in training and in the saved model'),
};

const promptSchema = z.object(promptOptions);

export type PromptSettings = Omit<z.output<typeof promptSchema>, 'excludePrompt'>;

/** Refuses options that would be of no effect. */
export function expectPrompts(settings: Partial<PromptSettings>, where: string): void {
	const {prompts, promptVersion, task, ...literal} = settings;
	const {queryPrompt, documentPrompt: document} = literal;
	if (prompts === undefined) {
		const vain = Object.entries({task, 'prompt-version': promptVersion}).find(
			([, value]) => value !== undefined,
		);
		if (vain === undefined) return;
		throw conflict(`${where}: expected prompts beside ${vain[0]}, got none`);
	}
	if (queryPrompt === undefined || document === undefined) return;
	throw conflict(`${where}: expected prompts or both literal prompts, got all three`);
}

function conflict(message: string): EngineError {
	return new EngineError('OPTION_CONFLICT', message);
}
