// Patterns of tokenizer.json, which are Oniguruma's; the JavaScript library knows how to say them here.

import {EngineError} from '../errors.js';
import {asRecord, asString, invalid} from './json.js';
import {SplitPreTokenizer} from './library.js';

/** A global regular expression for `{"String": …}` or `{"Regex": …}`. */
export function readPattern(value: unknown, where: string): RegExp {
	const {String: literal, Regex: regex} = asRecord(value, where);
	if (literal !== undefined) return new RegExp(escapeRegExp(asString(literal, where)), 'gu');
	if (regex === undefined) throw invalid(where, 'String or Regex', undefined);
	return translate(asString(regex, where), where);
}

export function escapeRegExp(text: string): string {
	return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

function translate(regex: string, where: string): RegExp {
	try {
		const {pattern} = new SplitPreTokenizer({
			type: 'Split',
			pattern: {Regex: regex},
			behavior: 'Isolated',
			invert: false,
		});
		if (pattern !== null) return pattern;
	} catch (cause) {
		throw unknownPattern(regex, where, cause);
	}
	throw unknownPattern(regex, where, undefined);
}

function unknownPattern(regex: string, where: string, cause: unknown): EngineError {
	const message = `${where}: expected a pattern that JavaScript can do, got ${regex}`;
	return new EngineError('TOKENIZER_KIND', message, {cause});
}
