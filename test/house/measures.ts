// The measures of style.md that a line count can check. Sources come by path, as in arrows.ts.

import type {Sources} from './arrows.js';

const mostLines = 420;
const mostColumns = 100;
const tab = '  '; // as the formatter counts

/** Files that are too long. */
export function longFiles(sources: Sources): string[] {
	return [...sources]
		.map(([path, text]) => ({path, lines: text.split('\n').length - 1}))
		.filter(({lines}) => lines > mostLines)
		.map(({path, lines}) => `${path}: ${lines} lines`);
}

/** Lines of code that are too wide; what stands inside literals does not count: no formatter cuts it. */
export function wideLines(sources: Sources): string[] {
	return [...sources].flatMap(([path, text]) =>
		withoutComments(text)
			.split('\n')
			.map((line, index) => ({line: withoutLiterals(line.replaceAll('\t', tab)), index}))
			.filter(({line}) => [...line].length > mostColumns)
			.map(({index}) => `${path}:${index + 1}`),
	);
}

/** Where the type `any` is written. */
export function anyTypes(sources: Sources): string[] {
	const written = /(?:[:<|&,(]|\bas|=>)\s*any\b(?!\s*\()/;
	return [...sources].flatMap(([path, text]) =>
		withoutComments(text)
			.split('\n')
			.map((line, index) => ({line: withoutLiterals(line), index}))
			.filter(({line}) => written.test(line))
			.map(({index}) => `${path}:${index + 1}`),
	);
}

// Lines keep their numbers. Comments behind code stay: they are part of its line.
function withoutComments(text: string): string {
	return text
		.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, comment => comment.replace(/[^\n]/g, ''))
		.replace(/^[ \t]*\/\/.*$/gm, '');
}

function withoutLiterals(line: string): string {
	return line
		.replace(/^\s*\/(?![/*]).*\/[a-z]*[,;)]*$/, '//')
		.replace(/'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`/g, "''");
}
