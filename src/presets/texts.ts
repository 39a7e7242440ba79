// Texts that come from a shell.

import type {Values} from './values.js';

/** The prompt that an option gives, as it stands; a backslash and an n in it are said. None is an empty one. */
export function sayLiteralBackslash(
	values: Values,
	name: string,
	say: (text: string) => void,
): string {
	const text = values.text(name) ?? '';
	if (/\\[nrt]/.test(text)) {
		const sign = /\\[nrt]/.exec(text)![0];
		const hint = `write $'…' in the shell for a new line`;
		say(
			`${values.place(name)}: holds a literal ${sign}, two characters that the model reads; ${hint}`,
		);
	}
	return text;
}
