// From the numbers of rows to a batch: their texts as packed tokens, and what the loss is given beside them.

import type {Rows, RowTexts} from '../data/rows.js';
import type {Table} from '../evaluate/trec.js';
import type {LossNeeds} from '../loss/loss.js';
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
	texts: readonly RowTexts[];
	batch: TrainingBatch;
	facts: RowFacts;
};

export async function prepareStep(
	{model, rows, rules, teacher, guide, judgements}: BatchSource,
	course: StepRows,
	{needs, signal}: {needs: LossNeeds | undefined; signal?: AbortSignal | undefined},
): Promise<Prepared> {
	const texts = await rows.read(course.rows, course.draw, {signal});
	const places = texts.map(({teacherRow}, n) => teacherRow ?? rows.record(course.rows[n]!));
	const facts = {
		...factsOf(texts, needs),
		epoch: course.pass,
		sets: texts.map(({set}) => rows.sets[set]!.name),
		teacher: await teacher?.read(places, signal),
		guide: await guide?.read(texts, signal),
		...(needs?.known && {known: await knownOf(texts, {judgements, signal})}),
	};
	return {course, texts, batch: await packBatch(model, texts, rules, signal), facts};
}
