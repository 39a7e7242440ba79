// The texts that the embedded model is distilled over: questions, paragraphs and their sentences by
// page, and the sentence pairs of an inference set. Each distinct text of ../shared/data's training
// parts is there but those that an evaluation set has too, case and punctuation aside.

import {readFile} from 'node:fs/promises';
import {join} from 'node:path';

/** The files whose texts are used, in the folder of the data. */
const sourceFiles = data => [
	join(data, 'squad', 'train.jsonl'),
	join(data, 'medquad', 'train.jsonl'),
	join(data, 'nli', 'snli_dev_pairs.jsonl'),
];

const retrievalSets = ['squad/eval', 'medquad/eval', 'scifact', 'cranfield'];
const evaluationFiles = data => [
	...retrievalSets.flatMap(set =>
		['queries.jsonl', 'corpus.jsonl'].map(name => join(data, set, name)),
	),
	...['sts/dev.jsonl', 'sts/sick/dev.jsonl'].map(name => join(data, name)),
];

/**
The distinct `texts`; as numbers of these the `pages`, {paragraph, questions, sentences}, and the
`inference` pairs. What many pages say in the same words belongs to the first of them.
*/
export async function readTexts(data) {
	const [squad, medquad, inference] = await Promise.all(sourceFiles(data).map(readRows));
	const numberOf = new Map();
	const number = text => {
		if (!numberOf.has(text)) numberOf.set(text, numberOf.size);
		return numberOf.get(text);
	};
	const evaluated = await evaluatedTexts(data);
	const isFree = text => !evaluated.has(bare(text));
	const isNew = text => !numberOf.has(text) && isFree(text);
	const read = [...questionsByParagraph([...squad, ...medquad])];
	const pages = read
		.filter(([paragraph]) => isFree(paragraph))
		.map(([paragraph, asked]) => ({
			paragraph: number(paragraph),
			questions: asked.filter(isFree).map(number),
			sentences: [...new Set(sentencesOf(paragraph))].filter(isNew).map(number),
		}))
		.filter(({questions}) => questions.length > 0);
	const pairs = inference
		.map(({sentence1, sentence2}) => [sentence1, sentence2])
		.filter(pair => pair.every(isFree))
		.map(pair => pair.map(number));
	const distinct = new Map(pairs.map(pair => [pair.join(), pair]));
	return {
		texts: [...numberOf.keys()],
		pages,
		inference: [...distinct.values()].filter(([a, b]) => a !== b),
	};
}

async function evaluatedTexts(data) {
	const rows = (await Promise.all(evaluationFiles(data).map(readRows))).flat();
	const texts = rows.flatMap(({text, sentence1, sentence2}) => [text, sentence1, sentence2]);
	return new Set(texts.filter(text => text !== undefined).map(bare));
}

const bare = text =>
	text
		.toLowerCase()
		.replace(/[^\p{L}\p{N}]+/gu, ' ')
		.trim();

async function readRows(path) {
	const lines = (await readFile(path, 'utf8')).split('\n');
	return lines.filter(line => line !== '').map(line => JSON.parse(line));
}

function questionsByParagraph(rows) {
	const questionsOf = new Map();
	for (const {query, pos} of rows) {
		const questions = questionsOf.get(pos[0]);
		if (questions === undefined) questionsOf.set(pos[0], [query]);
		else if (!questions.includes(query)) questions.push(query);
	}

	return questionsOf;
}

const segmenter = new Intl.Segmenter('en', {granularity: 'sentence'});

function sentencesOf(paragraph) {
	const sentences = [...segmenter.segment(paragraph)].map(({segment}) => segment.trim());
	return sentences.filter(text => text.length >= 30 && text.length < paragraph.length);
}
