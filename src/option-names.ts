// Names of options: as the command line writes them, and what was meant by one that does not exist. Apart
// from options.ts, so that who only loads a model need not load the checks of options.

import {EngineError} from './errors.js';

/** The error of a name that does not exist; it names the nearest that does. */
export function unknownOption(place: string, name: string, known: readonly string[]): EngineError {
	const hint = `did you mean ${nearest(name, known)}?`;
	return new EngineError(
		'OPTION_UNKNOWN',
		`${place}: expected a known option, got ${name}; ${hint}`,
	);
}

/** `learnTemperature` as `learn-temperature`. */
export function kebabCase(name: string): string {
	return name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
}

/** The known name that takes the fewest edits. */
export function nearest(name: string, known: readonly string[]): string | undefined {
	const ranked = known.map(candidate => ({candidate, edits: editsBetween(name, candidate)}));
	return ranked.sort((a, b) => a.edits - b.edits)[0]?.candidate;
}

// Levenshtein's distance, row by row.
function editsBetween(a: string, b: string): number {
	let before = Array.from({length: b.length + 1}, (_, column) => column);
	for (let row = 1; row <= a.length; row++) {
		const now = [row];
		for (let column = 1; column <= b.length; column++) {
			const changed = before[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
			now.push(Math.min(changed, before[column]! + 1, now[column - 1]! + 1));
		}
		before = now;
	}
	return before[b.length]!;
}
