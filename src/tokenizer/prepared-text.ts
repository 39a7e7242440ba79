// What becomes of a text before it is tokenized. In the worker: putting a prompt before a text, and lower case
// the more, copies all of it.

/** A prompt for all texts, or one for each, and whether texts go into lower case. */
export interface Preparation {
	readonly prompts: string | readonly string[];
	readonly lowerCase: boolean;
}

/**
A text as the tokenizer gets it, its prompt around it: `{}` is where the text goes, otherwise the prompt stands before
it. Lower case is for both, as in sentence-transformers.
*/
export function preparedText(
	text: string,
	{prompt, lowerCase}: {prompt: string; lowerCase: boolean},
): string {
	const place = prompt.indexOf('{}');
	const whole = place < 0 ? prompt + text : prompt.slice(0, place) + text + prompt.slice(place + 2);
	return lowerCase ? whole.toLowerCase() : whole;
}

/** The prompt of the text of this number. */
export function promptOf({prompts}: Preparation, text: number): string {
	return typeof prompts === 'string' ? prompts : prompts[text]!;
}

/** All texts as the tokenizer gets them. */
export function preparedTexts(
	texts: readonly string[],
	preparation: Preparation,
): readonly string[] {
	const {prompts, lowerCase} = preparation;
	if (prompts === '' && !lowerCase) return texts;
	return texts.map((text, n) => preparedText(text, {prompt: promptOf(preparation, n), lowerCase}));
}
