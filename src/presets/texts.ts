// Texts that come from a shell, and what is said of more than one system.

import {maps, type Option} from './table.js';

/** A prompt as it stands, none an empty one; a backslash and an n in it are said. */
export function prompt(name: string, ours: 'queryPrompt' | 'documentPrompt'): Option {
	const to: Option['to'] = (values, say) => {
		const text = values.text(name) ?? '';
		sayLiteralBackslash(text, values.place(name), say);
		return {[ours]: text};
	};
	return maps('text', to, {default: ''});
}

function sayLiteralBackslash(text: string, place: string, say: (text: string) => void): void {
	const [sign] = /\\[nrt]/.exec(text) ?? [];
	if (sign === undefined) return;
	const hint = `write $'…' in the shell for a new line`;
	say(`${place}: holds a literal ${sign}, two characters that the model reads; ${hint}`);
}

/** What a half type becomes: the device decides. */
export function sayHalfType(place: string, say: (text: string) => void): void {
	say(`${place}: the CPU computes in f32, a card in bf16 over f32 weights`);
}
