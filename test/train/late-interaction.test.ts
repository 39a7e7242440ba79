// Training of late interaction: it learns, what it writes is a model of token vectors, and a run that
// was stopped ends in the same bits.

import {mkdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {type EmbeddingModel, lateInteraction, maxSim} from '../../dist/index.js';
import type {HardPair} from '../../dist/train/hardest.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {
	filesIn,
	hashOf,
	lines,
	loadTiny,
	metricsIn,
	quick,
	type Row,
	rowsOf,
	stoppingAt,
} from './tiny.js';

const {folder, put} = temporaryFolder();
const loss = lateInteraction({temperature: 0.5});
const at = (name: string) => join(folder, name);

test('raises the score of a query and its own document, and is saved as it is', async () => {
	const model = await loadTiny({dense: 12});
	const rows = rowsOf(8);
	const gap = async () => {
		const queries = await model.encodeTokens(rows.map(({query}) => query));
		const documents = await model.encodeTokens(rows.map(({positive}) => positive));
		const scores = await maxSim(queries, documents);
		const own = rows.reduce((sum, _, n) => sum + scores[n * rows.length + n]!, 0) / rows.length;
		return own - scores.reduce((sum, score) => sum + score, 0) / scores.length;
	};
	const before = await gap();
	const messages: string[] = [];
	const options = {data: rows, batchSize: 8, learningRate: 1e-3, dropout: 0, steps: 30};
	const onMessage = (message: string) => void messages.push(message);
	await train(model, {...options, loss, output: at('learned'), onMessage});
	expect(await gap()).toBeGreaterThan(before + 0.5);
	expect(messages.join()).toMatch(/pooling \(mean\) is left out; .* from version 6 on/);
	const losses = metricsIn(at('learned')).map(line => line['loss']!);
	expect(losses.at(-1)).toBeLessThan(0.3 * losses[0]!);
	expect(metricsIn(at('learned'))[0]).toMatchObject({candidates: 12, temperature: 0.5});

	const again = await loadTiny({path: at('learned'), pooling: undefined, normalize: undefined});
	const texts = ['the symptom', ''];
	expect(await again.encodeTokens(texts)).toEqual(await model.encodeTokens(texts));
	const modules = JSON.parse(readFileSync(join(at('learned'), 'modules.json'), 'utf8')) as object[];
	expect(modules).toHaveLength(4);
	const card = readFileSync(join(at('learned'), 'README.md'), 'utf8');
	expect(card).toMatch(/Token vectors of 12 dimensions.*import MultiVectorEncoder.*Note: /s);
	expect(filesIn(at('learned')).some(file => file.includes('Pooling'))).toBe(false);
});

test('a stopped run goes on to the same bits', async () => {
	const options = {...quick, loss, saveSteps: 1};
	await train(await loadTiny(), {...options, output: at('whole')});
	const halfway = train(await loadTiny(), {...options, output: at('stopped'), ...stoppingAt(2)});
	await expect(halfway).rejects.toThrow('stopped at 2');
	await train(await loadTiny(), {...options, output: at('stopped'), resume: true});
	const weights = 'model.safetensors';
	expect(hashOf(join(at('stopped'), weights))).toBe(hashOf(join(at('whole'), weights)));
});

test('a model of token vectors is trained on, but by no loss of one vector a text', async () => {
	await train(await loadTiny(), {...quick, loss, steps: 1, output: at('first')});
	const model = () => loadTiny({path: at('first'), pooling: undefined, normalize: undefined});
	await train(await model(), {...quick, loss, steps: 1, output: at('second')});
	await expect(train(await model(), {...quick, steps: 1})).rejects.toMatchObject({
		code: 'OPTION_CONFLICT',
		message: expect.stringContaining('use late-interaction'),
	});
});

/** The MaxSim of each query with all documents, positives before negatives, over its tokens. */
async function scoresOf(model: EmbeddingModel, rows: readonly Row[]) {
	const queries = await model.encodeTokens(rows.map(({query}) => query));
	const texts = [...rows.map(({positive}) => positive), ...rows.flatMap(row => row.negatives)];
	const scores = await maxSim(queries, await model.encodeTokens(texts));
	const tokens = rows.map((_, n) => queries.offsets[n + 1]! - queries.offsets[n]!);
	const of = (row: number) => [...scores.subarray(row * texts.length, (row + 1) * texts.length)];
	return rows.map((_, row) => of(row).map(score => score / tokens[row]!));
}

describe('while it is trained', () => {
	const rows = rowsOf(8);
	const options = {...quick, data: rows, dropout: 0, order: 'file'} as const;

	test.each([
		['all documents', undefined, () => true],
		['positives alone', ['inBatchPositives'], (_: number, n: number) => n < 8],
		['own negatives', ['ownHard'], (row: number, n: number) => n === 8 + (row - 1) / 2],
	] as const)('held-out rows find their own among %s', async (_, candidates, isMet) => {
		const model = await loadTiny();
		const data = candidates?.[0] === 'ownHard' ? rows.filter((_, n) => n % 2 === 1) : rows;
		const met = (await scoresOf(model, rows)).flatMap((scores, row) => {
			const others = scores.filter((_, n) => n !== row && isMet(row, n));
			return others.length > 0 ? [Number(scores[row]! > Math.max(...others))] : [];
		});
		const loss = lateInteraction({...(candidates && {candidates: [...candidates]})});
		const asked = {...options, data, loss, steps: 1, evalLoss: {held: data}};
		const {evaluation} = await train(model, asked);
		const share = met.reduce((sum, hit) => sum + hit, 0) / met.length;
		expect(evaluation.before['held']!['accuracy']).toBeCloseTo(share, 10);
		expect(evaluation.after['held']!['loss']).not.toBe(evaluation.before['held']!['loss']);
	});

	test('its hardest negatives stand in the report', async () => {
		const model = await loadTiny();
		const expected = (await scoresOf(model, rows))
			.map((scores, row) => ({
				positive: scores[row]!,
				negative: Math.max(...scores.filter((_, n) => n !== row)),
			}))
			.sort((a, b) => b.negative - b.positive - (a.negative - a.positive));
		await train(model, {...options, loss, steps: 1, output: at('watched')});
		const state = join(at('watched'), 'checkpoints/step-1/trainer/state.json');
		const kept = JSON.parse(readFileSync(state, 'utf8')) as {state: {hardest: HardPair[]}};
		const {hardest} = kept.state;
		expect(hardest).toHaveLength(8);
		for (const [n, {score, positiveScore, negative, query}] of hardest.entries()) {
			expect(score).toBeCloseTo(expected[n]!.negative, 5);
			expect(positiveScore).toBeCloseTo(expected[n]!.positive, 5);
			expect(rows.find(row => row.query === query)!.positive).not.toBe(negative);
		}
		expect(readFileSync(join(at('watched'), 'report.html'), 'utf8')).toContain(
			hardest[0]!.negative,
		);
	});

	test('it logs how near queries are to their own documents, over their tokens', async () => {
		const model = await loadTiny();
		const ragged = rows.map((row, n) => {
			return {...row, negatives: [...row.negatives, ...(n === 3 ? ['age'] : [])]};
		});
		const scores = await scoresOf(model, ragged);
		const ofNegatives = ragged.flatMap(({negatives}, row) => negatives.map(() => row));
		const mean = (list: number[]) => list.reduce((sum, each) => sum + each, 0) / list.length;
		const positive = mean(scores.map((own, row) => own[row]!));
		const negative = mean(ofNegatives.map((row, n) => scores[row]![rows.length + n]!));
		await train(model, {...options, data: ragged, loss, steps: 1, output: at('near')});
		const [first] = metricsIn(at('near'));
		expect(first!['positiveCosine']).toBeCloseTo(positive, 5);
		expect(first!['negativeCosine']).toBeCloseTo(negative, 5);
		expect(first!['cosineGap']).toBeCloseTo(positive - negative, 5);
	});

	test('retrieval sets are ranked by MaxSim', async () => {
		mkdirSync(join(folder, 'set/qrels'), {recursive: true});
		const queries = rows.map(({query}, n) => ({_id: `q${n}`, text: query}));
		put('set/queries.jsonl', lines(queries));
		const corpus = rows.map(({positive}, n) => ({_id: `d${n}`, title: '', text: positive}));
		put('set/corpus.jsonl', lines(corpus));
		const judged = rows.map((_, n) => `q${n}\td${n}\t1`).join('\n');
		put('set/qrels/test.tsv', `query-id\tcorpus-id\tscore\n${judged}\n`);
		const model = await loadTiny();
		const found = (await scoresOf(model, rows)).filter((scores, row) =>
			scores.slice(0, rows.length).every((score, n) => n === row || score < scores[row]!),
		);
		const asked = {...options, loss, steps: 1, eval: `set=${at('set')}`};
		const {evaluation} = await train(model, asked);
		expect(evaluation.before['set']!['hit@1']).toBeCloseTo(found.length / rows.length, 10);
	});
});

test('evaluations of one vector a text are refused before anything is written', async () => {
	const pairs = put('pairs.jsonl', '{"sentence1": "a", "sentence2": "b", "score": 1}\n');
	const run = train(await loadTiny(), {...quick, loss, eval: pairs, output: at('never')});
	await expect(run).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
	const excluding = train(await loadTiny(), {...quick, loss, excludePrompt: true});
	await expect(excluding).rejects.toThrow('exclude-prompt: expected it with a pooling');
	expect(filesIn(folder).some(file => file.startsWith('never'))).toBe(false);
});
