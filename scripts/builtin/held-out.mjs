// Training texts that are held out to choose by: pages of a few topics as a small retrieval set, and
// inference pairs whose cosines are to be ordered as the teacher orders them.

import {dot, rowOf} from './vectors.mjs';

const topics = 20;
const pagesOfTopic = 20;
const inferencePairs = 900;

/** Cuts {pages, inference} into what is trained on and what is held out. */
export function holdOut({pages, inference}, teacher) {
	const vector = page => rowOf(teacher, page.paragraph);
	const held = new Set();
	for (let topic = 0; topic < topics; topic++) {
		const centre = vector(pages[Math.floor((topic * pages.length) / topics)]);
		const nearness = new Map(pages.map(page => [page, dot(centre, vector(page))]));
		const nearest = pages.toSorted((a, b) => nearness.get(b) - nearness.get(a));
		for (const page of nearest.slice(0, pagesOfTopic)) held.add(page);
	}

	const pairs = inference.slice(-inferencePairs);
	const texts = new Set(pairs.flat());
	return {
		held: {pages: [...held], inference: pairs},
		trained: {
			pages: pages.filter(page => !held.has(page)),
			inference: inference
				.slice(0, -inferencePairs)
				.filter(pair => pair.every(text => !texts.has(text))),
		},
	};
}

/**
What a model makes of the held-out texts: nDCG@10 of questions among the paragraphs, for the model
and for the teacher, and the rank correlation of the cosines of the pairs with the teacher's.
*/
export async function measureHeldOut(model, {held, texts, teacher}) {
	const used = [
		...new Set([
			...held.pages.flatMap(page => [page.paragraph, ...page.questions]),
			...held.inference.flat(),
		]),
	];
	const {data, width} = await model.encode(used.map(text => texts[text]));
	const place = new Map(used.map((text, n) => [text, n]));
	const own = text => rowOf({data, width}, place.get(text));
	const teachers = text => rowOf(teacher, text);
	const cosines = vector => held.inference.map(([a, b]) => dot(vector(a), vector(b)));
	return {
		ndcg: gain(held.pages, own),
		teacherNdcg: gain(held.pages, teachers),
		spearman: correlation(ranks(cosines(own)), ranks(cosines(teachers))),
	};
}

/** nDCG@10 where each question has one paragraph. */
function gain(pages, vector) {
	const paragraphs = pages.map(page => vector(page.paragraph));
	const gains = pages.flatMap(({questions}, own) =>
		questions.map(question => {
			const scores = paragraphs.map(paragraph => dot(vector(question), paragraph));
			const rank = scores.filter(score => score > scores[own]).length + 1;
			return rank <= 10 ? 1 / Math.log2(rank + 1) : 0;
		}),
	);
	return mean(gains);
}

function ranks(values) {
	const order = values.map((_, n) => n).sort((a, b) => values[a] - values[b]);
	const places = [];
	order.forEach((n, place) => {
		places[n] = place;
	});
	return places;
}

function correlation(a, b) {
	const [left, right] = [a, b].map(centred);
	return dot(left, right) / Math.sqrt(dot(left, left) * dot(right, right));
}

function centred(values) {
	const middle = mean(values);
	return values.map(value => value - middle);
}

const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
