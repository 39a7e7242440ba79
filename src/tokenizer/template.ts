// The special tokens that a tokenizer's post-processor puts before and after the ids of one text.

import {EngineError} from '../errors.js';
import {asArray, asId, asRecord, asString, byType, invalid, type JsonRecord} from './json.js';

export interface Template {
	readonly prefix: readonly number[];
	readonly suffix: readonly number[];
}

type IdOf = (token: string) => number | undefined;

/** Reads `post_processor`; nothing there means no special tokens. */
export function readTemplate(value: unknown, idOf: IdOf, where: string): Template {
	if (value === undefined || value === null) return {prefix: [], suffix: []};
	const processor = asRecord(value, where);
	const read = byType(readers, processor.type);
	if (read !== undefined) return read(processor, idOf, where);
	throw new EngineError(
		'TOKENIZER_KIND',
		`${where}.type: expected ${Object.keys(readers).join(', ')}, got ${JSON.stringify(processor.type)}`,
	);
}

const readers: {[type: string]: (processor: JsonRecord, idOf: IdOf, where: string) => Template} = {
	TemplateProcessing: readSingle,
	BertProcessing: readPairOfTokens,
	RobertaProcessing: readPairOfTokens,
	// It only trims offsets, which nobody asks for here.
	ByteLevel: () => ({prefix: [], suffix: []}),
	Sequence: readSequence,
};

function readSequence(processor: JsonRecord, idOf: IdOf, where: string): Template {
	let prefix: readonly number[] = [];
	let suffix: readonly number[] = [];
	asArray(processor.processors, `${where}.processors`).forEach((inner, index) => {
		const template = readTemplate(inner, idOf, `${where}.processors[${index}]`);
		prefix = [...template.prefix, ...prefix];
		suffix = [...suffix, ...template.suffix];
	});
	return {prefix, suffix};
}

function readPairOfTokens(processor: JsonRecord, _idOf: IdOf, where: string): Template {
	const idIn = (name: string) => {
		const [, id] = asArray(processor[name], `${where}.${name}`);
		return asId(id, `${where}.${name}[1]`);
	};
	return {prefix: [idIn('cls')], suffix: [idIn('sep')]};
}

function readSingle(processor: JsonRecord, idOf: IdOf, where: string): Template {
	const known = asRecord(processor.special_tokens ?? {}, `${where}.special_tokens`);
	const parts: number[][] = [[]];
	asArray(processor.single, `${where}.single`).forEach((item, index) => {
		const place = `${where}.single[${index}]`;
		const {SpecialToken: token, Sequence: sequence} = asRecord(item, place);
		if (token !== undefined) {
			const name = asString(asRecord(token, place).id, `${place}.SpecialToken.id`);
			for (const id of idsOf(name, known, idOf, place)) parts.at(-1)?.push(id);
		} else if (asRecord(sequence, place).id === 'A') {
			parts.push([]);
		} else {
			throw invalid(place, 'a special token or sequence "A"', asRecord(sequence, place).id);
		}
	});
	const [prefix, suffix] = parts;
	if (prefix !== undefined && suffix !== undefined && parts.length === 2) return {prefix, suffix};
	throw invalid(`${where}.single`, 'sequence "A" once', parts.length - 1);
}

function idsOf(name: string, known: JsonRecord, idOf: IdOf, where: string): number[] {
	const entry = Object.hasOwn(known, name) ? known[name] : undefined;
	if (entry !== undefined) {
		const ids = asArray(asRecord(entry, where).ids, `${where}: ids of ${name}`);
		return ids.map(id => asId(id, `${where}: ids of ${name}`));
	}
	const id = idOf(name);
	if (id !== undefined) return [id];
	throw invalid(where, 'a token of the vocabulary', name);
}
