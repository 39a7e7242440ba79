// What the runs of quality.mjs train on and are evaluated on: parts of real data sets, chosen by a seed, in the
// order in which both sides read them. Training rows come from training splits, evaluations from the others.

import {cpSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {randomOf, sample} from '../dist/data/random.js';
import {indexBm25} from '../dist/evaluate/bm25.js';

export const data = join(process.env.INBATCH_SHARED ?? '../shared', 'data');

const records = file =>
	readFileSync(join(data, file), 'utf8')
		.trimEnd()
		.split('\n')
		.map(line => JSON.parse(line));

/** The first rows of a shuffle that is the same for every seed, in the order of the seed. */
function drawn(rows, count, seed) {
	return inOrder(inOrder(rows, 0).slice(0, count), seed);
}

/** Pairs of a data set. */
export function pairs(set, count, seed) {
	return drawn(records(`${set}/train.jsonl`), count, seed);
}

export function scoredPairs(count, seed) {
	return drawn(records('sts/train.jsonl'), count, seed);
}

/** Sentences and questions alone. */
export function texts(count, seed) {
	const sentences = records('sts/train.jsonl').flatMap(row => [row.sentence1, row.sentence2]);
	const questions = ['squad', 'medquad'].flatMap(set =>
		records(`${set}/train.jsonl`).slice(0, 3000),
	);
	const all = new Set([...sentences, ...questions.map(({query}) => query)]);
	return drawn([...all], count, seed).map(text => ({text}));
}

/** Pairs whose paragraphs have several questions; rows of a paragraph stand together, as documents are asked about. */
export function siblings(count, seed) {
	const groups = new Map();
	for (const row of records('squad/train.jsonl')) {
		groups.set(row.doc_id, [...(groups.get(row.doc_id) ?? []), row]);
	}
	const several = [...groups.values()].filter(({length}) => length >= 4);
	return drawn(
		several.map(rows => rows.slice(0, 4)),
		count / 4,
		seed,
	).flat();
}

/** The rows with the best other documents of the training split by BM25 as hard negatives. */
export async function withNegatives(set, rows, count) {
	const documents = new Map(
		records(`${set}/train.jsonl`).map(({doc_id: id, pos: [text]}) => [id, text]),
	);
	const index = await indexBm25(Array.from(documents, ([id, text]) => ({id, text})));
	const found = [];
	for (const row of rows) {
		const ranking = await index.search(row.query, {limit: count + 9});
		const others = ranking.map(([id]) => documents.get(id)).filter(text => text !== row.pos[0]);
		if (others.length >= count) found.push({...row, neg: others.slice(0, count)});
	}
	return found;
}

/** The rows with the scores of a teacher: cosines of its vectors, divided by 0.05. */
export async function withTeacher(rows, teacher, maxLength) {
	const documents = rows.flatMap(({pos, neg}) => [...pos, ...neg]);
	const queries = rows.map(({query}) => query);
	const [q, d] = [
		await teacher.encode(queries, {maxLength}),
		await teacher.encode(documents, {maxLength}),
	];
	const width = teacher.width;
	let next = 0;
	return rows.map((row, n) => {
		const query = q.data.subarray(n * width, (n + 1) * width);
		const score = () => {
			const document = d.data.subarray(next * width, ++next * width);
			return 20 * query.reduce((sum, value, column) => sum + value * document[column], 0);
		};
		return {...row, teacher_scores: [...row.pos, ...row.neg].map(score)};
	});
}

export function writeRows(path, rows) {
	writeFileSync(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''));
}

/** The evaluation half of a set, with so many of its queries. */
export function retrievalSet(set, queries, folder) {
	const [from, to] = [join(data, set, 'eval'), join(folder, `${set}-eval`)];
	mkdirSync(to, {recursive: true});
	cpSync(join(from, 'corpus.jsonl'), join(to, 'corpus.jsonl'));
	const kept = inOrder(records(`${set}/eval/queries.jsonl`), 0).slice(0, queries);
	writeRows(join(to, 'queries.jsonl'), kept);
	const ids = new Set(kept.map(({_id}) => _id));
	const [head, ...lines] = readFileSync(join(from, 'qrels.tsv'), 'utf8').trimEnd().split('\n');
	const judged = lines.filter(line => ids.has(line.split('\t')[0]));
	writeFileSync(join(to, 'qrels.tsv'), `${[head, ...judged].join('\n')}\n`);
	return to;
}

function inOrder(rows, seed) {
	return sample(randomOf(seed), rows.length, rows.length).map(at => rows[at]);
}
