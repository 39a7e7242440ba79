// The texts that the embedded model is distilled over, as pairs: a question with its paragraph, a
// question with a sentence, two sentences of one page, two sentences of an inference pair. Each
// distinct text of ../shared/data's training parts is there; no text of an evaluation set is read.

import {readFile} from 'node:fs/promises';
import {join} from 'node:path';

/** The files whose texts are used, in the folder of the data. */
export const sourceFiles = data => [
	join(data, 'squad', 'train.jsonl'),
	join(data, 'medquad', 'train.jsonl'),
	join(data, 'nli', 'snli_dev_pairs.jsonl'),
];

/** Reads the training texts: distinct `texts`, and `pairs` of their indices. */
export async function readPairs(data) {
	const [squad, medquad, inference] = await Promise.all(sourceFiles(data).map(readRows));
	const questions = [...squad, ...medquad].map(({query, pos}) => [query, pos[0]]);
	const premises = inference.map(({sentence1, sentence2}) => [sentence1, sentence2]);
	return numbered([...pairQuestions(questions), ...premises]);
}

async function readRows(path) {
	const lines = (await readFile(path, 'utf8')).split('\n');
	return lines.filter(line => line !== '').map(line => JSON.parse(line));
}

/**
Each paragraph once with its first question; its further questions with a sentence of it each, so
that long texts are not computed again; the sentences left over with each other. What many pages
say in the same words is there once.
*/
function pairQuestions(rows) {
	const questionsOf = new Map();
	for (const [question, paragraph] of rows) {
		const questions = questionsOf.get(paragraph);
		if (questions === undefined) questionsOf.set(paragraph, [question]);
		else questions.push(question);
	}

	const seen = new Set();
	return [...questionsOf].flatMap(([paragraph, [first, ...further]]) => {
		const short = [...further, ...sentencesOf(paragraph)].filter(text => !seen.has(text));
		for (const text of short) seen.add(text);
		const half = Math.ceil(short.length / 2);
		const rest = short.slice(half).map((text, n) => [short[n], text]);
		if (short.length % 2 === 1) rest.push([short[half - 1], first]);
		return [[first, paragraph], ...rest];
	});
}

const segmenter = new Intl.Segmenter('en', {granularity: 'sentence'});

function sentencesOf(paragraph) {
	const sentences = [...segmenter.segment(paragraph)].map(({segment}) => segment.trim());
	return sentences.filter(text => text.length >= 30 && text.length < paragraph.length);
}

/** Pairs of texts as pairs of indices into the distinct texts; a text is no partner of its own. */
function numbered(pairs) {
	const numberOf = new Map();
	const number = text => {
		if (!numberOf.has(text)) numberOf.set(text, numberOf.size);
		return numberOf.get(text);
	};
	const distinct = new Map();
	for (const pair of pairs.map(texts => texts.map(number))) {
		if (pair[0] !== pair[1]) distinct.set(pair.join(), pair);
	}

	return {texts: [...numberOf.keys()], pairs: [...distinct.values()]};
}
