// The rows of a distillation, pass after pass: pairs of texts, so ordered that a batch holds texts of
// a few topics, which are hard to tell apart.

import {shuffled} from './random.mjs';
import {dot, rowOf} from './vectors.mjs';

const listsOfTopic = 50;
const pairsOfGroup = 16;
const sentencesLeft = 4;

/**
All pairs of `passes` passes over the pages and inference pairs. In each pass a page's paragraph meets
another of its questions, the others meet the sentence that the teacher finds nearest, and some of the
sentences left meet each other; pairs of a question name its `paragraph`. No batch of `batchSize` pairs
has a text twice.
*/
export function orderedPairs({pages, inference}, {teacher, passes, batchSize, random}) {
	const others = inference.map(([query, positive]) => [{query, positive}]);
	return Array.from({length: passes}, (_, pass) => {
		const asked = pages.map(page => pagePairs(page, {pass, teacher, random}));
		return apartBatches(byTopics([...asked, ...others], teacher, random), batchSize);
	}).flat();
}

function pagePairs({paragraph, questions, sentences}, {pass, teacher, random}) {
	const turn = pass % questions.length;
	const left = new Set(sentences);
	const pairs = [{query: questions[turn], positive: paragraph, paragraph}];
	for (const query of questions.toSpliced(turn, 1)) {
		const positive = nearest(query, left, teacher);
		if (positive === undefined) continue;
		left.delete(positive);
		pairs.push({query, positive, paragraph});
	}

	const rest = shuffled([...left], random).slice(0, sentencesLeft);
	for (let n = 0; n + 1 < rest.length; n += 2) {
		pairs.push({query: rest[n], positive: rest[n + 1]});
	}

	return pairs;
}

function nearest(text, candidates, teacher) {
	const own = rowOf(teacher, text);
	let [best, most] = [undefined, -Infinity];
	for (const candidate of candidates) {
		const score = dot(own, rowOf(teacher, candidate));
		if (score > most) [best, most] = [candidate, score];
	}

	return best;
}

/** Lists of pairs in random order, but so that of each topic some stand together; as one list. */
function byTopics(lists, teacher, random) {
	const drawn = shuffled(lists, random);
	const vector = ([pair]) => rowOf(teacher, pair.positive);
	const centres = drawn.slice(0, Math.ceil(lists.length / listsOfTopic)).map(vector);
	const topics = centres.map(() => []);
	for (const list of drawn) {
		const row = vector(list);
		let [best, most] = [0, -Infinity];
		centres.forEach((centre, n) => {
			const score = dot(row, centre);
			if (score > most) [best, most] = [n, score];
		});
		topics[best].push(list);
	}

	return shuffled(
		topics.flatMap(topic => groupsOf(topic.flat())),
		random,
	).flat();
}

const groupsOf = pairs =>
	Array.from({length: Math.ceil(pairs.length / pairsOfGroup)}, (_, n) =>
		pairs.slice(n * pairsOfGroup, (n + 1) * pairsOfGroup),
	);

/** The same pairs, those put off to a later batch that would repeat a text; the last may be lost. */
function apartBatches(pairs, batchSize) {
	const batches = [];
	let waiting = [];
	const rest = pairs.values();
	for (;;) {
		const [batch, seen, again] = [[], new Set(), []];
		const take = pair => {
			if (seen.has(pair.query) || seen.has(pair.positive)) return again.push(pair);
			seen.add(pair.query).add(pair.positive);
			return batch.push(pair);
		};
		for (const pair of waiting) batch.length < batchSize ? take(pair) : again.push(pair);
		while (batch.length < batchSize) {
			const {value, done} = rest.next();
			if (done) break;
			take(value);
		}

		if (batch.length < batchSize) return batches.flat();
		batches.push(batch);
		waiting = again;
	}
}
