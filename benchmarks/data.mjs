// How many rows a second do the data give, read, tokenized and packed, and how many does training take?

import {cpus} from 'node:os';
import {openDataset} from '../dist/data/dataset.js';
import {Rows} from '../dist/data/rows.js';
import {formatTable} from '../dist/files/table.js';
import {infoNce} from '../dist/loss/infonce.js';
import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {planCourse} from '../dist/train/epochs.js';
import {trainSchema} from '../dist/train/options.js';
import {prepareStep} from '../dist/train/prepare.js';
import {PromptRules} from '../dist/train/prompts.js';
import {train} from '../dist/train/train.js';
import {median, timed} from './rounds.mjs';

const batchSize = 32;
const loss = infoNce();
/** Batches of one turn of the data. */
const batches = 64;

export async function measure({model: path, threads, seconds, data}) {
	const model = await EmbeddingModel.load(path, {...(threads && {threads})});
	const settings = trainSchema.parse({batchSize, epochs: 1});
	const dataset = await openDataset([data]);
	const rows = await Rows.select(dataset, settings);
	const planning = {course: undefined};
	const planned = await timed(async () => {
		planning.course = await planCourse(rows, settings);
	});
	const source = sourceOf(model, rows, await PromptRules.open(model, settings));
	const [given, taken] = [[], []];
	let course = planning.course.from(1);
	const end = performance.now() + seconds * 1000;
	while (performance.now() < end || taken.length < 3) {
		const prepared = [];
		const time = await timed(async () => {
			while (prepared.length < batches) {
				const {value, done} = await course.next();
				if (done) course = planning.course.from(1);
				else prepared.push(await prepareStep(source, value, {loss}));
			}
		});
		given.push((batches * batchSize) / time);
		taken.push(await trained(model, data));
	}
	print({model, rows, planned, given, taken});
	await dataset.close();
}

function sourceOf(model, rows, prompts) {
	const {maxLength} = model;
	const lengths = {queryMaxLength: maxLength, documentMaxLength: maxLength};
	const rules = {...lengths, prompts, views: 1, chunkTokens: 2 ** 20};
	return {model, rows, rules, teacher: undefined, guide: undefined, judgements: undefined};
}

/** Rows a second of a few steps, each without what prepared it. */
async function trained(model, data) {
	const rates = [];
	const onStep = ({rowsPerSecond}) => rates.push(rowsPerSecond);
	await train(model, {data, batchSize, steps: 3, loss, onStep});
	return median(rates);
}

function print({model, rows, planned, given, taken}) {
	const {kernels, threads} = model.computing;
	const machine = `${cpus()[0].model.trim()}, ${kernels}, ${threads} threads`;
	const table = [
		['', 'rows/s median', 'best', 'against training'],
		['training', median(taken).toFixed(1), Math.max(...taken).toFixed(1), ''],
		[
			'data',
			median(given).toFixed(0),
			Math.max(...given).toFixed(0),
			`${(median(given) / median(taken)).toFixed(0)}x`,
		],
	];
	console.log(`\ndata, batches of ${batchSize}: ${machine}, ${given.length} rounds`);
	console.log(formatTable(table, {align: ['left', 'right', 'right', 'right']}));
	console.log(`${rows.used} rows planned in ${planned.toFixed(2)} s`);
}
