import {expect, test} from 'vitest';
import {isRecordLike, parseRecord} from '../../dist/data/record.js';

const read = (value: unknown) => parseRecord(value, 'a.jsonl:7').record;
const plain = {query: 'q', positives: ['p'], negatives: []};

test.each(['query', 'question', 'anchor', 'sentence1', 'text1'])('"%s" is a query', name => {
	expect(read({[name]: 'q', pos: 'p'})).toEqual(plain);
});

test.each([
	'positive',
	'positives',
	'pos',
	'pos_doc',
	'sentence2',
	'text2',
	'answer',
	'passage',
	'document',
])('"%s" is a positive, alone or in a list', name => {
	expect(read({query: 'q', [name]: 'p'})).toEqual(plain);
	expect(read({query: 'q', [name]: ['p', 'p2']}).positives).toEqual(['p', 'p2']);
});

test.each([
	'negative',
	'negatives',
	'neg',
	'neg_doc',
	'hard_negative',
	'hard_negatives',
	'negative_1',
])('"%s" is a negative, and a string is one of them, never its characters', name => {
	expect(read({query: 'q', pos: 'p', [name]: 'no no'}).negatives).toEqual(['no no']);
	expect(read({query: 'q', pos: 'p', [name]: ['a', 'b']}).negatives).toEqual(['a', 'b']);
});

test('Numbered negatives come by number behind the listed ones', () => {
	const value = {
		query: 'q',
		negative_10: 'j',
		negative_2: 'b',
		negative_1: 'a',
		neg: ['x'],
		pos: 'p',
	};
	expect(read(value).negatives).toEqual(['x', 'a', 'b', 'j']);
});

test('Elements may have a title', () => {
	const value = {
		query: 'q',
		pos: {title: 'T', text: 'p'},
		neg: [{title: '', text: 'a'}, {text: 'b'}, {title: null, text: 'c'}, 'd'],
	};
	expect(read(value)).toEqual({query: 'q', positives: ['T p'], negatives: ['a', 'b', 'c', 'd']});
});

test('Tuples are read by position', () => {
	expect(read(['q', 'p'])).toEqual(plain);
	expect(read(['q', 'p', 'a', 'b'])).toEqual({...plain, negatives: ['a', 'b']});
	expect(read(['q', ['p', 'r'], ['a', 'b']])).toEqual({
		query: 'q',
		positives: ['p', 'r'],
		negatives: ['a', 'b'],
	});
	expect(read(['q', 'p', 1])).toEqual({...plain, label: 1});
});

test('Ids stay as they were given, as strings', () => {
	const value = {
		query: 'q',
		pos: ['p', 'r'],
		neg: 'n',
		query_id: 1185869,
		pos_id: ['d1', 2],
		neg_id: 'x',
	};
	expect(read(value)).toMatchObject({
		queryId: '1185869',
		positiveIds: ['d1', '2'],
		negativeIds: ['x'],
	});
	expect(read({query: 'q', pos_doc: 'p', doc_id: 'd823'}).positiveIds).toEqual(['d823']);
	expect(read({query: 'q', pos: 'p', query_id: null})).toEqual(plain);
});

test('Scores, labels and prompts are read, from text too', () => {
	const value = {
		query: 'q',
		pos: ['p', 'r'],
		scores: [0.8, '0.2'],
		prompt_for_query: 'P: ',
		score: '4.5',
	};
	expect(read(value)).toEqual({
		query: 'q',
		positives: ['p', 'r'],
		negatives: [],
		positiveScores: [0.8, 0.2],
		prompt: 'P: ',
		score: 4.5,
	});
	const scored = {
		query: 'q',
		pos: 'p',
		neg: ['a', 'b'],
		neg_score: [-1.5, 2],
		label: 3,
		prompt: '',
	};
	expect(read(scored)).toMatchObject({negativeScores: [-1.5, 2], label: 3, prompt: ''});
});

test('A record of this package is read as it is', () => {
	const record = {
		query: 'q',
		positives: ['p'],
		negatives: ['n'],
		prompt: 'x',
		queryId: '1',
		positiveIds: ['2'],
		negativeIds: ['3'],
		positiveScores: [1],
		negativeScores: [0],
		label: 1,
		score: 0.5,
	};
	expect(parseRecord(record, 'x')).toEqual({record, unknownFields: []});
});

test('Fields that are not used are named, null ones are not there', () => {
	const value = {
		query: 'q',
		question: 'other',
		pos: 'p',
		answer: 'a',
		label: 'neutral',
		type: 'x',
		extra: null,
	};
	const {record, unknownFields} = parseRecord(value, 'x');
	expect(record).toEqual(plain);
	expect(unknownFields.sort()).toEqual(['answer', 'label', 'question', 'type']);
});

test('Ids that do not go with the texts are not used', () => {
	const {record, unknownFields} = parseRecord({query: 'q', pos: ['p', 'r'], doc_id: 'd'}, 'x');
	expect(record.positiveIds).toBeUndefined();
	expect(unknownFields).toEqual(['doc_id']);
});

test.each<[unknown, string]>([
	[{query: {q: 1}, pos: 'p'}, '"query" to be a string, got an object'],
	[{anchor: 5, pos: 'p'}, '"anchor" to be a string, got a number'],
	[{pos: 'p', foo: 1}, 'a "query", got only "pos", "foo"'],
	[{query: 'q', history: []}, 'a "positive", got only "query", "history"'],
	[{}, 'a "query", got no fields'],
	[{query: ' \t', pos: 'p'}, '"query" to hold a text, got an empty one'],
	[{query: 'q', pos: ''}, '"pos" to hold a text, got an empty one'],
	[{query: 'q', pos: []}, '"pos" to hold a text, got an empty array'],
	[{query: 'q', pos: ['p', '  ']}, '"pos[1]" to hold a text, got an empty one'],
	[{query: 'q', pos: ['p', null]}, '"pos[1]" to be a string, got null'],
	[{query: 'q', pos: [['p']]}, '"pos[0]" to be a string, got an array'],
	[{query: 'q', positive: 5}, '"positive" to be a string, got a number'],
	[{query: 'q', pos: 'p', neg: ['']}, '"neg[0]" to hold a text, got an empty one'],
	[{query: 'q', pos: 'p', negative_3: 3}, '"negative_3" to be a string, got a number'],
	[{query: 'q', pos: {title: 't'}}, 'the text of "pos" to be a string, got nothing'],
	[{query: 'q', pos: {title: 1, text: 'p'}}, 'the title of "pos" to be a string, got a number'],
	[{query: 'q', pos: ['p', 'r'], scores: [1]}, '2 numbers in "scores", one for each text, got 1'],
	[{query: 'q', pos: 'p', score: 'high'}, '"score" to be a number, got "high"'],
	[{query: 'q', pos: 'p', score: 'NaN'}, '"score" to be a number, got "NaN"'],
	[{query: 'q', pos: 'p', prompt: 1}, '"prompt" to be a string, got a number'],
	[
		{query: 'q', pos: 'p', query_id: 2 ** 60},
		'"query_id" to be a string or a whole number below 2^53, got 1152921504606847000',
	],
	[
		{query: 'q', pos: 'p', query_id: {}},
		'"query_id" to be a string or a whole number below 2^53, got an object',
	],
	[['q'], '[query, positive, …], got an array of 1'],
	[[['q'], 'p'], '"[0]" to be a string, got an array'],
	[['q', 'p', 'n', 4], '"[3]" to be a string, got a number'],
	['text', 'an object, got a string'],
	[null, 'an object, got null'],
	[7, 'an object, got a number'],
])('%j is refused', (value, message) => {
	expect(() => parseRecord(value, 'a.jsonl:7')).toThrow(
		expect.objectContaining({code: 'DATA_ROW', message: `a.jsonl:7: expected ${message}`}),
	);
});

test('A name of the prototype is no field', () => {
	const value = JSON.parse(
		'{"query": "q", "pos": "p", "__proto__": {"neg": "x"}, "constructor": 1}',
	);
	const {record, unknownFields} = parseRecord(value, 'x');
	expect(record).toEqual(plain);
	expect(unknownFields.sort()).toEqual(['__proto__', 'constructor']);
});

test('What means to be a record is told from other data', () => {
	expect([{query: 1}, {pos: []}, ['q', 'p']].every(isRecordLike)).toBe(true);
	expect([{text: 'x'}, {}, [], ['q'], [1, 2], 'query', null].some(isRecordLike)).toBe(false);
});
