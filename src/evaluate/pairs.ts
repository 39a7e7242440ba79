// Pairs of texts with a gold score, as the STS benchmarks have them: JSON Lines, TSV or CSV with a header.

import {EngineError, kindOf} from '../errors.js';
import {readRecords} from '../files/records.js';

/** Pair n is `first[n]`, `second[n]` with the gold score `scores[n]`. */
export interface ScoredPairs {
	/** The file as given. */
	name: string;
	first: string[];
	second: string[];
	scores: number[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
Reads a file with the fields `sentence1`, `sentence2` (or `text1`, `text2`) and `score`; other fields are
left alone. The format is recognised by content.

@example
const {first, second, scores} = await readPairs('sts/dev.jsonl');
*/
export async function readPairs(
	path: string,
	options: {signal?: AbortSignal | undefined} = {},
): Promise<ScoredPairs> {
	const pairs: ScoredPairs = {name: path, first: [], second: [], scores: []};
	for await (const rows of readRecords(path, options)) {
		for (const {where, value} of rows) {
			const fields = fieldsOf(value, where);
			const [first, second] = textNames(fields);
			pairs.first.push(textOf(fields, first, where));
			pairs.second.push(textOf(fields, second, where));
			pairs.scores.push(scoreOf(fields, where));
		}
	}

	if (pairs.scores.length > 1) return pairs;
	const got = pairs.scores.length;
	throw new EngineError('DATA_EMPTY', `${path}: expected 2 scored pairs or more, got ${got}`);
}

function fieldsOf(value: unknown, where: string): Fields {
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
	throw badRow(where, 'an object with sentence1, sentence2 and score', kindOf(value));
}

function textNames(fields: Fields): readonly [string, string] {
	return 'text1' in fields && !('sentence1' in fields)
		? ['text1', 'text2']
		: ['sentence1', 'sentence2'];
}

function textOf(fields: Fields, name: string, where: string): string {
	const text = fields[name];
	if (typeof text === 'string') return text;
	throw badRow(where, `"${name}" to be a string`, kindOf(text));
}

// Cells of a table are strings.
function scoreOf({score}: Fields, where: string): number {
	const isFilled = typeof score === 'string' && score.trim() !== '';
	const value = isFilled ? Number(score) : score;
	if (typeof value === 'number' && Number.isFinite(value)) return value;
	const got = isFilled ? `"${score.slice(0, 40)}"` : kindOf(score);
	throw badRow(where, '"score" to be a number', got);
}

function badRow(where: string, expected: string, got: string): EngineError {
	return new EngineError('DATA_ROW', `${where}: expected ${expected}, got ${got}`);
}
