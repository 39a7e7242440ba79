// Runs documented commands of other systems behind `train --preset`, as they are written but for names
// of models and files.

import {type Ended, inbatch, type Settings} from './command-line.js';

/** The words of a command as a shell splits it: blanks, quotes, backslashes at ends of lines. */
export function wordsOf(command: string): string[] {
	const words = command.replaceAll('\\\n', ' ').matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g);
	return [...words].map(([word]) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'));
}

/** A command, with options of ours behind it. */
export function documented(
	preset: string,
	command: string,
	own: readonly string[] = [],
	settings: Settings = {},
): Promise<Ended> {
	return inbatch(['train', '--preset', preset, ...wordsOf(command), ...own], settings);
}
