// A tower of queries and one of documents. Oracle of the gradients: those of the towers of one start, added
// up, are those of one shared encoder.

import {cpSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {evaluate} from '../../dist/evaluate/evaluate.js';
import type {EmbeddingModel, LoadOptions} from '../../dist/model/embedding-model.js';
import {similarity} from '../../dist/model/similarity.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {readParameters} from '../support/parameters.js';
import {bert, hashesOf, lines, loadTiny, quick, stoppingAt} from './tiny.js';

const {folder} = temporaryFolder();
const roberta = fileURLToPath(new URL('../fixtures/families/roberta', import.meta.url));
const texts = ['the age of the company', 'what is a sign'];

const separate = (options: LoadOptions = {}) =>
	loadTiny({threads: 2, towers: 'separate', ...options});
const two = (options: LoadOptions = {}) =>
	separate({documentModel: roberta, dense: 16, ...options});

async function trainedTowers(options: Partial<TrainOptions> = {}, load: LoadOptions = {}) {
	const model = await two(load);
	const losses: number[] = [];
	const {onStep, ...rest} = options;
	await train(model, {
		...{...quick, ...rest},
		onStep(step) {
			losses.push(step.loss);
			onStep?.(step);
		},
	});
	return {model, losses};
}

const gradientsOf = ({core}: EmbeddingModel) => readParameters(core, 'gradient');

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

test('gradients of towers of one start add up to those of a shared encoder', async () => {
	const [shared, towers] = [await loadTiny(), await separate()];
	for (const model of [shared, towers]) await train(model, {...quick, steps: 1, dropout: 0});
	const [whole, parts] = [await gradientsOf(shared), await gradientsOf(towers)];
	const largest = Math.max(...[...whole.values()].map(norm));
	for (const [name, expected] of whole) {
		const [query, document] = [parts.get(name)!, parts.get(`document.${name}`)!];
		expect(norm(query) * norm(document), name).toBeGreaterThan(0);
		const off = expected.map((value, n) => value - query[n]! - document[n]!);
		expect(norm(off), name).toBeLessThan(1e-5 * norm(expected) + 1e-7 * largest);
	}
});

test('towers of one start encode alike before training, and each its own after', async () => {
	const model = await separate();
	const both = async () => {
		const [a, b] = [await model.encode(texts, {route: 'query'}), await model.encode(texts)];
		return [a.data, b.data];
	};
	const [query, document] = await both();
	expect(query).toEqual(document);
	await train(model, quick);
	const [queryAfter, documentAfter] = await both();
	expect(queryAfter).not.toEqual(query);
	expect(documentAfter).not.toEqual(document);
	expect(queryAfter).not.toEqual(documentAfter);
});

test('towers of two families learn, and what is saved encodes to the same bits', async () => {
	const output = join(folder, 'two');
	const {model, losses} = await trainedTowers({epochs: 10, learningRate: 3e-3, output});
	expect(losses.at(-1)!).toBeLessThan(0.95 * losses[0]!);
	const again = await loadTiny({path: output, pooling: undefined, normalize: undefined});
	for (const route of ['query', 'document'] as const) {
		const {data} = await again.encode(texts, {route});
		expect(data).toEqual((await model.encode(texts, {route})).data);
	}
	expect(await hashesOf(again)).toEqual(await hashesOf(model));
});

test('what sentence-transformers 6 calls the modules is read alike', async () => {
	const [old, path] = [join(folder, 'old-names'), join(folder, 'new-names')];
	const model = await two();
	await model.save(old);
	cpSync(old, path, {recursive: true});
	const rename = (name: string) => {
		const text = readFileSync(join(path, name), 'utf8')
			.replaceAll(
				'sentence_transformers.models.Router',
				'sentence_transformers.base.modules.router.Router',
			)
			.replaceAll('models.Transformer', 'base.modules.transformer.Transformer')
			.replaceAll('models.Pooling', 'sentence_transformer.modules.pooling.Pooling')
			.replaceAll('models.Dense', 'base.modules.dense.Dense')
			.replace('"allow_empty_key": true', '"allow_empty_key": true, "route_mappings": {}');
		writeFileSync(join(path, name), text);
	};
	for (const name of ['modules.json', 'router_config.json']) rename(name);
	const again = await loadTiny({path, pooling: undefined, normalize: undefined});
	const {data} = await again.encode(texts, {route: 'query'});
	expect(data).toEqual((await model.encode(texts, {route: 'query'})).data);
});

test('a run that was stopped goes on to the same bits, for any threads and chunks', async () => {
	const whole = await hashesOf((await trainedTowers()).model);
	const output = join(folder, 'stopped');
	const stopped = trainedTowers({output, saveSteps: 1, ...stoppingAt(2)});
	await expect(stopped).rejects.toThrow('stopped at 2');
	const rest = await trainedTowers({output, saveSteps: 1, resume: true});
	expect(await hashesOf(rest.model)).toEqual(whole);
	const {model} = await trainedTowers({chunkTokens: 60}, {threads: 1});
	expect(await hashesOf(model)).toEqual(whole);
});

test('a prompt by its name chooses the tower, a route before it, and the folder last', async () => {
	const model = await two();
	const path = join(folder, 'prompts');
	await model.save(path);
	const config = join(path, 'config_sentence_transformers.json');
	const prompts = {query: 'what is ', passage: 'the ', document: 'the ', other: 'a '};
	writeFileSync(config, JSON.stringify({...JSON.parse(readFileSync(config, 'utf8')), prompts}));
	const again = await loadTiny({path, pooling: undefined, normalize: undefined});
	const of = async (options: object) => (await again.encode('sign', options)).data;
	const [query, document] = [
		await of({route: 'query', prompt: 'other'}),
		await of({prompt: 'other'}),
	];
	expect(query).not.toEqual(document);
	expect(document).toEqual(await of({route: 'document', promptText: 'a '}));
	expect(await of({prompt: 'query'})).toEqual(await of({promptText: 'what is ', route: 'query'}));
	expect(await of({prompt: 'passage'})).toEqual(await of({promptText: 'the ', route: 'document'}));
	expect(await of({prompt: 'query', route: 'document'})).toEqual(
		await of({promptText: 'what is '}),
	);
});

test('a router without a default wants a route', async () => {
	const path = join(folder, 'no-default');
	await (await two()).save(path);
	const file = join(path, 'router_config.json');
	writeFileSync(
		file,
		readFileSync(file, 'utf8').replace('"default_route": "document"', '"default_route": null'),
	);
	const model = await loadTiny({path, pooling: undefined});
	await expect(model.encode(texts)).rejects.toMatchObject({code: 'OPTION_MISSING'});
	expect(
		(await model.encode(texts, {prompt: 'query', promptText: undefined}).catch(error => error))
			.code,
	).toBe('OPTION_RANGE');
	expect((await model.encode(texts, {route: 'query'})).rows).toBe(2);
});

test('an evaluation takes the tower of each side', async () => {
	const model = await two({normalize: true});
	const words = ['sign', 'pattern', 'service', 'union', 'company', 'age'];
	const [queries, documents] = [
		words.map(word => `what is the ${word}`),
		words.map(word => `a ${word}`),
	];
	const scores = similarity(
		await model.encode(queries, {route: 'query'}),
		await model.encode(documents, {route: 'document'}),
	);
	const ranks = words.map((_, row) => {
		const own = scores.subarray(row * words.length, (row + 1) * words.length);
		return 1 + own.filter(score => score > own[row]!).length;
	});
	const place = join(folder, 'set');
	const entries = (list: string[]) => lines(list.map((text, n) => ({_id: `${n}`, text})));
	const files = {
		'queries.jsonl': entries(queries),
		'corpus.jsonl': entries(documents),
		'qrels.tsv': `query-id\tcorpus-id\tscore\n${words.map((_, n) => `${n}\t${n}\t1\n`).join('')}`,
	};
	cpSync(bert, place, {recursive: true});
	for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
	const {results} = await evaluate(model, {retrieval: place});
	const expected = ranks.reduce((sum, rank) => sum + 1 / rank, 0) / words.length;
	expect(results[0]!.metrics['mrr']).toBeCloseTo(expected, 9);
});

test.each([
	[['document'], /^document\./],
	[['query'], /^(?!document\.)/],
	[['document.embeddings', 'query.blocks:0-1'], /^(document\.embedding\.|blocks\.[01]\.)/],
	[['head'], /^(document\.)?head\./],
])('freeze %j keeps these parts alone', async (freeze, expected) => {
	const before = await hashesOf(await two());
	const {model} = await trainedTowers({freeze});
	const kept = [...(await hashesOf(model))].filter(([name, hash]) => before.get(name) === hash);
	const names = [...before.keys()].filter(name => expected.test(name));
	expect(kept.map(([name]) => name).filter(name => expected.test(name))).toEqual(names);
	const others = kept.filter(([name]) => !expected.test(name));
	expect(others.map(([name]) => name)).toEqual([]);
});

test.each([
	[{documentModel: roberta}, 'OPTION_CONFLICT'],
	[{towers: 'shared', documentModel: roberta}, 'OPTION_CONFLICT'],
	[{towers: 'both'}, 'OPTION_RANGE'],
	[{towers: 'separate', documentModel: join(bert, 'nowhere')}, 'MODEL_NOT_FOUND'],
	[
		{towers: 'separate', documentModel: roberta, init: join(bert, 'config.json')},
		'OPTION_CONFLICT',
	],
] as unknown as [LoadOptions, string][])('%j is refused with %s', async (options, code) => {
	await expect(loadTiny(options)).rejects.toMatchObject({code});
});

test('a model of one tower has no route, and one of two keeps them', async () => {
	const one = await loadTiny();
	await expect(one.encode(texts, {route: 'query'})).rejects.toMatchObject({
		code: 'OPTION_CONFLICT',
	});
	const path = join(folder, 'kept');
	await (await two()).save(path);
	const shared = loadTiny({path, towers: 'shared'});
	await expect(shared).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
});
