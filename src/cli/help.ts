// How --help reads: a heading for each group of options, what an option is beside its flag or, where
// the flag is long, below it, and no line wider than the terminal.

import type {HelpConfiguration} from 'commander';

/** Where descriptions begin, and how far they go where the terminal is wider. */
const begin = 34;
const widest = 110;

export const helpLayout: HelpConfiguration = {
	padWidth: () => begin - 4,
	formatItem(term, _, description, {helpWidth = 80}) {
		const lines = wrapped(description, Math.min(helpWidth, widest) - begin);
		const [first = '', ...rest] = lines;
		const flag = `  ${term}`;
		const isBeside = flag.length <= begin - 2;
		const head = isBeside ? `${flag.padEnd(begin)}${first}` : flag;
		const below = isBeside ? rest : lines;
		return [head.trimEnd(), ...below.map(line => ' '.repeat(begin) + line)].join('\n');
	},
};

/** A text in lines; a word that is longer has a line of its own. */
function wrapped(text: string, width: number): string[] {
	const lines: string[] = [];
	for (const word of text.split(' ')) {
		const last = lines.at(-1);
		const isFitting = last !== undefined && last.length + 1 + word.length <= Math.max(20, width);
		if (isFitting) lines[lines.length - 1] = `${last} ${word}`;
		else lines.push(word);
	}

	return lines;
}
