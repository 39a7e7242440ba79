// From the numbers of rows to a batch: their texts as packed tokens, and what the loss is given beside them.

import type {Rows, RowTexts} from '../data/rows.js';
import type {Table} from '../evaluate/trec.js';
import type {Loss} from '../loss/loss.js';
import {meanOverPools} from '../loss/pools.js';
import {span} from '../loss/some-rows.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {type BatchRules, packBatch, type TrainingBatch} from './batch.js';
import type {StepRows} from './epochs.js';
import type {Guide} from './guide.js';
import {knownOf} from './known.js';
import {factsOf} from './needs.js';
import type {RowFacts} from './row-facts.js';
import type {TeacherVectors} from './teacher-vectors.js';

/** What batches are made of. */
export type BatchSource = {
	model: EmbeddingModel;
	rows: Rows;
	rules: BatchRules;
	teacher: TeacherVectors | undefined;
	guide: Guide | undefined;
	/** Positives known beside those of the data, by query and document. */
	judgements: Table | undefined;
};

export type Prepared = {
	course: StepRows;
	/** Of each row once. */
	texts: readonly RowTexts[];
	/** Of all rows as the loss sees them: twice, where it wants two passes. */
	batch: TrainingBatch;
	facts: RowFacts;
	/** The loss of this step: with separate pools the mean over them. */
	loss: Loss;
	passes: 1 | 2;
};

export async function prepareStep(
	source: BatchSource,
	course: StepRows,
	{loss, signal}: {loss: Loss; signal?: AbortSignal | undefined},
): Promise<Prepared> {
	const {model, rows, rules} = source;
	const {passes = 1} = loss.needs ?? {};
	const texts = await rows.read(course.rows, course.draw, {signal});
	const seen = passes === 2 ? [...texts, ...texts] : texts;
	return {
		course,
		texts,
		facts: await factsFrom(source, course, {texts: seen, loss, signal}),
		batch: await packBatch(model, seen, rules, signal),
		loss: lossOf(loss, course, passes),
		passes,
	};
}

type Seen = {texts: readonly RowTexts[]; loss: Loss; signal: AbortSignal | undefined};

async function factsFrom(
	{rows, teacher, guide, judgements}: BatchSource,
	{rows: numbers, pass}: StepRows,
	{texts, loss: {needs}, signal}: Seen,
): Promise<RowFacts> {
	const places = texts.map(
		({teacherRow}, n) => teacherRow ?? rows.number(numbers[n % numbers.length]!),
	);
	const sets = texts.map(({set}) => rows.sets[set]!.name);
	return {
		...factsOf(texts, needs, sets),
		sets,
		epoch: pass,
		teacher: await teacher?.read(places, signal),
		guide: await guide?.read(texts, signal),
		...(needs?.known && {known: await knownOf(texts, {judgements, signal})}),
	};
}

/** Pools are consecutive rows, of each pass. */
function lossOf(loss: Loss, {rows, pools}: StepRows, passes: 1 | 2): Loss {
	if (pools.length === 1) return loss;
	let begin = 0;
	const own = pools.map(count => {
		const firsts = Array.from({length: passes}, (_, pass) => pass * rows.length + begin);
		begin += count;
		return Int32Array.from(firsts.flatMap(first => [...span(first, count)]));
	});
	return meanOverPools(loss, own);
}
