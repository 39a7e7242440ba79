// A teacher's vectors beside records that are left out, and beside held-out rows.

import {describe, expect, test} from 'vitest';
import {losses} from '../../dist/loss/index.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {normals} from '../support/matrix.js';
import {hashesOf, lines, loadTiny, quick, rowsOf, trained} from './tiny.js';

const {folder, put} = temporaryFolder();
const width = 64;
const random = normals(12);
const texts = rowsOf(24).map(({positive}) => ({text: positive}));
const vectors = texts.map(() => Float32Array.from({length: width}, random));
const fileOf = (name: string, rows: readonly Float32Array[]) =>
	put(name, Buffer.concat(rows.map(({buffer}) => Buffer.from(buffer))));
const data = put('texts.jsonl', lines(texts));
const teacherVectors = fileOf('teacher.f32', vectors);
const loss = losses.distillvectors();

describe('records that are left out', () => {
	const isKept = ({text}: {text: string}) => text.length <= 50;
	const filterLength = '-50';
	const kept = put('kept.jsonl', lines(texts.filter(isKept)));
	const keptVectors = fileOf(
		'kept.f32',
		vectors.filter((_, n) => isKept(texts[n]!)),
	);
	const bitsOf = async (options: Partial<TrainOptions>) => {
		const {model, losses: values} = await trained({...options, loss});
		return {values, weights: await hashesOf(model)};
	};

	test('keep their vectors, and the others theirs', async () => {
		expect(texts.some(isKept) && !texts.every(isKept)).toBe(true);
		const filtered = await bitsOf({data, teacherVectors, filterLength});
		expect(filtered).toEqual(await bitsOf({data: kept, teacherVectors: keptVectors}));
		const others = {data: kept, teacherVectors, teacherWidth: width};
		expect(filtered).not.toEqual(await bitsOf(others));
	});

	test('count in every file and set of the data', async () => {
		const half = (from: number, to: number) => put(`${from}`, lines(texts.slice(from, to)));
		const parts = [`a=${half(0, 10)}`, `b=${half(10, 24)}`];
		const filtered = await bitsOf({data: parts, teacherVectors, filterLength});
		expect(filtered).toEqual(await bitsOf({data: kept, teacherVectors: keptVectors}));
	});

	test('need vectors too: a file of those that stay is too short', async () => {
		const short = {data, teacherVectors: keptVectors, teacherWidth: width, filterLength};
		await expect(bitsOf(short)).rejects.toThrow('for 24 records of 64 numbers');
	});
});

describe('held-out rows', () => {
	const ofCosine = losses.distillvectors({similarityWeight: 0, tripletWeight: 0, cosineWeight: 1});
	const held = texts.slice(16);
	const heldVectors = fileOf('held.f32', vectors.slice(16));
	const base = {...quick, data, teacherVectors, steps: 1, loss: ofCosine};

	test('have the loss of their own vectors', async () => {
		const model = await loadTiny();
		const {data: found} = await model.encode(
			held.map(({text}) => text),
			{normalize: true},
		);
		const apart = held.map((_, n) => {
			const teacher = vectors[16 + n]!;
			const own = found.subarray(n * width, (n + 1) * width);
			const dot = own.reduce((sum, x, i) => sum + x * teacher[i]!, 0);
			return 1 - dot / Math.hypot(...teacher);
		});
		const expected = apart.reduce((sum, each) => sum + each, 0) / apart.length;
		const evaluated = {evalLoss: {held}, evalTeacherVectors: heldVectors, batchSize: 3};
		const {evaluation} = await train(model, {...base, ...evaluated});
		expect(evaluation.before['held']).toEqual({loss: expect.closeTo(expected, 5)});
		expect(evaluation.after['held']!['loss']).not.toBe(evaluation.before['held']!['loss']);
	});

	test('take the file of their name', async () => {
		const evalLoss = {near: held, far: texts.slice(0, 8)};
		const near = `near=${heldVectors}`;
		const evalTeacherVectors = [`far=${teacherVectors}`, near];
		const {evaluation} = await train(await loadTiny(), {...base, evalLoss, evalTeacherVectors});
		const alone = {evalLoss: {near: held}, evalTeacherVectors: [near]};
		const other = await train(await loadTiny(), {...base, ...alone});
		expect(evaluation.before['near']).toEqual(other.evaluation.before['near']);
		expect(evaluation.before['far']).not.toEqual(evaluation.before['near']);
	});

	test('with other vectors are another run', async () => {
		const output = `${folder}/run`;
		const asked = {...base, evalLoss: {held}, output};
		await train(await loadTiny(), {...asked, evalTeacherVectors: [heldVectors]});
		const again = train(await loadTiny(), {
			...asked,
			...{evalTeacherVectors: [teacherVectors], resume: true},
		});
		await expect(again).rejects.toMatchObject({code: 'RESUME_CHANGED'});
	});

	test.each([
		['no vectors', {}, 'OPTION_MISSING', 'vectors of held for the loss distillvectors, got none'],
		[
			'a name that no rows have',
			{evalTeacherVectors: [`other=${heldVectors}`]},
			'OPTION_CONFLICT',
			'a name of --eval-loss (held), got other',
		],
		[
			'two files',
			{evalTeacherVectors: [`held=${heldVectors}`, `held=${teacherVectors}`]},
			'OPTION_CONFLICT',
			'one file for each name, got another for held',
		],
		[
			'too few vectors',
			{evalTeacherVectors: [fileOf('few.f32', vectors.slice(0, 3))]},
			'FILE_FORMAT',
			'for 8 records of 64 numbers',
		],
		[
			'no held-out rows',
			{evalLoss: {}, evalTeacherVectors: [heldVectors]},
			'OPTION_CONFLICT',
			'--eval-loss beside it, got none',
		],
		[
			'another loss',
			{
				...{loss: losses.simcse(), teacherVectors: undefined, dropout: 0.1},
				evalTeacherVectors: [heldVectors],
			},
			'OPTION_CONFLICT',
			'a loss that learns from vectors, got simcse',
		],
	])('are refused with %s', async (_, options, code, message) => {
		const run = train(await loadTiny(), {...base, evalLoss: {held}, ...options});
		await expect(run).rejects.toMatchObject({code, message: expect.stringContaining(message)});
	});
});

test('held-out rows of a data set have its loss', async () => {
	const pairs = rowsOf(12).map(({query, positive}) => ({query, positive}));
	const scored = pairs.map((pair, n) => ({...pair, query: `${pair.query} now`, score: n / 12}));
	const loss = losses.cosent();
	const {lossFor} = await import('../../dist/loss/loss-for.js');
	const [qa, sts] = [put('qa.jsonl', lines(pairs)), put('sts.jsonl', lines(scored))];
	const sets = lossFor({qa: losses.infonce(), sts: loss});
	const asked = {...quick, data: [`qa=${qa}`, `sts=${sts}`], steps: 1, loss: sets};
	const both = await train(await loadTiny(), {...asked, evalLoss: [`qa=${qa}`, `sts=${sts}`]});
	const alone = {...quick, data: sts, steps: 1, loss, evalLoss: {sts: scored}};
	const one = await train(await loadTiny(), alone);
	expect(both.evaluation.before['sts']).toEqual(one.evaluation.before['sts']);
	const inMemory = await train(await loadTiny(), {...asked, evalLoss: {qa: pairs}});
	expect(inMemory.evaluation.before['qa']).toEqual(both.evaluation.before['qa']);
	const strange = train(await loadTiny(), {...asked, evalLoss: {held: pairs}});
	await expect(strange).rejects.toThrow('name held-out rows as the data set whose loss they have');
});
