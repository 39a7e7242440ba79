// The tokens that a prompt makes.

import {EngineError} from '../errors.js';
import {preparedText} from '../tokenizer/prepared-text.js';
import type {Tokenizer} from '../tokenizer/tokenizer.js';

/** What counting a prompt's tokens needs of a model. */
export type PromptReader = {tokenizer: Tokenizer; lowerCase: boolean; maxLength: number};

/**
How many leading tokens of every text belong to its prompt, the special ones before it too: those that the
tokenizer makes of the prompt alone, less a special one after it, as sentence-transformers counts. Of a prompt
around the text only what stands before it counts. A prompt that leaves no room for the text is refused.
*/
export async function promptTokens(
	prompt: string,
	{tokenizer, lowerCase, maxLength}: PromptReader,
): Promise<number> {
	const before = preparedText('', {prompt: prompt.split('{}')[0]!, lowerCase});
	if (before === '') return 0;
	const [whole, bare] = await Promise.all(
		[true, false].map(async addSpecialTokens => {
			const {ids} = await tokenizer.encode([before], {maxLength: 2 ** 30, addSpecialTokens});
			return ids;
		}),
	);
	const count = whole!.length - (endsInSpecial(whole!, bare!) ? 1 : 0);
	if (whole!.length < maxLength) return count;
	throw new EngineError(
		'OPTION_RANGE',
		`max-length: expected more than the ${whole!.length} tokens of the prompt, got ${maxLength}`,
	);
}

/** Whether special tokens follow `bare` in `whole`. */
function endsInSpecial(whole: Int32Array, bare: Int32Array): boolean {
	const around = whole.length - bare.length;
	const isPrefix = (first: number) => bare.every((id, n) => whole[first + n] === id);
	for (let first = 0; first < around; first++) if (isPrefix(first)) return true;
	return false;
}
