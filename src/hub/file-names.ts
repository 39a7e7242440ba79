// What the names of files of a data set say: format, split, and whether a pattern fits.

const formats = ['parquet', 'jsonl', 'ndjson', 'json', 'csv', 'tsv'] as const;

const splitNames = {
	train: ['train', 'training'],
	validation: ['validation', 'valid', 'dev', 'val'],
	test: ['test', 'testing', 'eval', 'evaluation'],
} as const;

export type Split = keyof typeof splitNames;

/** What describes the rows and is none. */
const descriptions = /(^|\/)(dataset_infos?|state|dataset_dict|metadata)\.json$/;

/** The format of rows that a name says. */
export function formatOf(name: string): (typeof formats)[number] | undefined {
	if (descriptions.test(name)) return;
	const extension = name.replace(/\.gz$/, '').split('.').at(-1)!.toLowerCase();
	return formats.find(format => format === extension);
}

/** Those of the format that most have, the first in the table of equals; and the others, each said. */
export function ofOneFormat(rows: readonly string[]): {files: string[]; left: string[]} {
	const count = (format: string) => rows.filter(name => formatOf(name) === format).length;
	const best = [...formats].sort((a, b) => count(b) - count(a))[0]!;
	const others = rows.filter(name => formatOf(name) !== best);
	return {
		files: rows.filter(name => formatOf(name) === best),
		left: others.map(name => `${name}: left out beside files of ${best}`),
	};
}

export function isHidden(name: string): boolean {
	return name.split('/').some(part => part.startsWith('.') || part.startsWith('_'));
}

/** The split that the name of a file says or, nearest first, the names of its folders. */
export function splitOf(name: string): Split | undefined {
	for (const part of name.split('/').reverse()) {
		const words = part.toLowerCase().split(/[-._ \d]+/);
		for (const [split, names] of Object.entries(splitNames)) {
			if (names.some(each => words.includes(each))) return split as Split;
		}
	}

	return;
}

/** `*` and `?` stay within a folder, `**` does not. */
export function patternOf(path: string): RegExp {
	const source = path
		.replace(/[.+^${}()|[\]\\]/g, '\\$&')
		.replace(/\*\*\/|\*\*|\*|\?/g, text =>
			text === '**/' ? '(.*/)?' : text === '**' ? '.*' : text === '*' ? '[^/]*' : '[^/]',
		);
	return new RegExp(`^${source}$`);
}
