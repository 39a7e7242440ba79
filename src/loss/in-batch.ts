// The in-batch family as a function of matrices: softmaxes of queries over documents of the batch, and
// of documents over queries, united as a loss wants them.

import type {Contrast, ContrastOptions} from '../autograd/contrast.js';
import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {knownDocuments} from './documents-known.js';
import {limitOf, reportMasked, rulesOf} from './false-negatives.js';
import {type Direction, leastTemperature, meetsOthers, type Settings} from './infonce-options.js';
import {joined} from './inputs.js';
import {
	type Candidates,
	type Column,
	type ColumnsKnown,
	expectColumns,
	type LossInputs,
	ownersOf,
} from './loss.js';
import {
	type BatchSizes,
	type NegativesMet,
	negativesMet,
	reportNegatives,
} from './negatives-met.js';
import {expectTaught, type Taught} from './teacher.js';
import {type Judged, tellSuspects} from './tell-suspects.js';

/** A softmax for each query: its normaliser, the mean and the number of its scores, (N, 1). */
type Softmax = Contrast;

/** What a direction meets: vectors, their owners, and how many of them are positives. */
type Side = {
	vectors: Variable;
	owner: Int32Array;
	positives: number;
	known: ColumnsKnown | undefined;
	guide: Variable | undefined;
};

type Batch = {
	inputs: LossInputs;
	query: Variable;
	positive: Column;
	/** Where the positives of each row begin, when some have several. */
	positiveOffsets: Int32Array | undefined;
	documents: Side;
	queries: Side;
	temperature: Variable;
	/** Each query meets its own positives alone: their lse and mean, by the same arithmetic. */
	own: Softmax;
	/** A teacher's scores of the own documents, for the mask of that name. */
	taught: Taught | undefined;
	/** Scores above are taken for positives, by our vectors and by the guide's. */
	limit: Variable | undefined;
	guideLimit: Variable | undefined;
};

/** The loss of a batch: the mean over groups of directions, whose softmax is one. */
export function inBatchLoss(
	ops: LossOperations,
	settings: Settings,
	groups: readonly (readonly Direction[])[],
	inputs: LossInputs,
): Variable {
	const {labelSmoothing, learnTemperature, temperature, positives} = settings;
	const batch = batchOf(ops, settings, inputs);
	const met: Softmax[] = [];
	const softmaxes = groups.map(group => {
		const each = group.map(direction => meet(ops, settings, batch, direction));
		met.push(...each);
		const all = group.some(meetsOwn) ? each : [...each, batch.own];
		return all.reduce((a, b) => unite(ops, a, b));
	});
	const isCounted = settings.mask.length > 0 || inputs.queue || batch.positiveOffsets;
	const negatives = negativesMet(settings.candidates, sizesOf(batch), groups[0]!);
	const candidates = isCounted
		? ops.mean(softmaxes[0]!.count)
		: candidatesMet(negatives, groups[0]!);
	ops.report('candidates', candidates);
	reportNegatives(ops, negatives, settings.queue > 0);
	ops.report('temperature', learnTemperature ? batch.temperature : temperature);
	reportMasked(ops, settings, met);
	push(ops, settings, batch);
	const meetingDocuments = met[settings.directions.indexOf('qd')];
	tellSuspects(ops, settings, judgedOf(settings, batch, meetingDocuments));

	const sought = positives === 'mean' ? batch.own.mean : batch.own.lse;
	const target = ops.scale(sought, 1 - labelSmoothing);
	const terms = softmaxes.map(({lse, mean}) => {
		const term = ops.subtract(lse, target);
		return labelSmoothing === 0 ? term : ops.subtract(term, ops.scale(mean, labelSmoothing));
	});
	return meanOf(ops, settings, terms);
}

/** The mean over rows and groups; of several widths the sum of their means, each with its weight. */
function meanOf(ops: LossOperations, {nesting}: Settings, terms: readonly Variable[]): Variable {
	const all = ops.concatColumns(terms);
	if (!nesting) return ops.mean(all);
	const weights = terms.flatMap(() => nesting.weights);
	const weighted = ops.multiply(all, ops.constant(weights, 1, weights.length));
	return ops.scale(ops.sum(weighted), 1 / (all.rows * terms.length));
}

/** What a score is, at which widths. */
function scoring({similarity, nesting}: Settings) {
	const cosine = similarity === 'cosine' || nesting?.renormalize === true;
	return {cosine, ...(nesting && {widths: nesting.widths})};
}

function batchOf(ops: LossOperations, settings: Settings, inputs: LossInputs): Batch {
	const {query, positive, negatives, positiveOffsets} = columnsOf(settings, inputs);
	const temperature = temperatureOf(ops, settings, inputs);
	const owner = ownersOf(positive);
	const alone = {
		owner,
		positives: positive.rows,
		own: true,
		others: false,
		ownHard: false,
		otherHard: false,
	};
	const clamp = settings.clamp && {clamp: settings.clamp};
	const scores = scoring(settings);
	const own = ops.contrast(query, positive, {...alone, temperature, ...scores, ...clamp});
	const byMargin = settings.mask.includes('margin');
	const guide = settings.mask.includes('guide') ? expectGuide(inputs) : undefined;
	const unit = ops.constant([1], 1, 1);
	const ofGuide =
		guide && ops.contrast(guide[0]!, guide[1]!, {...alone, temperature: unit, cosine: true});
	return {
		inputs,
		query,
		positive,
		positiveOffsets,
		documents: documentsOf(ops, inputs, {positive, negatives, guide}),
		queries: queriesOf(inputs, query, guide?.[0]),
		temperature,
		own,
		taught: taughtOf(settings, inputs, negatives),
		limit: byMargin ? limitOf(ops, own.mean, settings.margin, temperature) : undefined,
		guideLimit: ofGuide && limitOf(ops, ofGuide.mean, settings.margin),
	};
}

function taughtOf(
	{mask}: Settings,
	inputs: LossInputs,
	negatives: readonly Column[],
): Taught | undefined {
	if (!mask.includes('teacher')) return undefined;
	const owner = joined(negatives.map(ownersOf));
	return expectTaught('infonce', inputs, owner, inputs.columns[0]!.rows);
}

type Columns = {
	query: Variable;
	positive: Column;
	negatives: readonly Column[];
	positiveOffsets: Int32Array | undefined;
};

/** The columns, of which the positives may be several of a row or none. */
function columnsOf(settings: Settings, {columns}: LossInputs): Columns {
	const {offsets, rows = 0} = columns[1] ?? {};
	const isEven = !offsets || offsets.every((offset, n) => offset === n);
	const checkable = isEven ? columns : columns.filter((_, n) => n !== 1);
	const [query, ...others] = expectColumns('infonce', checkable, isEven ? 2 : 1, {more: true});
	const positive = isEven ? others[0]! : columns[1]!;
	const negatives = isEven ? others.slice(1) : others;
	if (!isEven && settings.directions.some(direction => direction[0] === 'd')) {
		refuse(
			'one positive for each query, as the directions dq and dd need',
			`${rows} of ${query!.rows}`,
		);
	}
	if (!isEven && offsets.some((offset, n) => n > 0 && offset === offsets[n - 1])) {
		refuse('at least one positive for each query', 'none for some');
	}
	expectNegatives(settings, negatives.length);
	const meetsHard = settings.candidates.some(each => each !== 'inBatchPositives');
	const met = meetsHard ? negatives : [];
	return {query: query!, positive, negatives: met, positiveOffsets: isEven ? undefined : offsets};
}

/** The positives, then the queue, then hard negatives where some are met. */
function documentsOf(
	ops: LossOperations,
	{known, queue}: LossInputs,
	{positive, negatives, guide}: Documents,
): Side {
	const earlier = queue?.vectors;
	const parts = [positive, ...(earlier ? [earlier] : []), ...negatives];
	const strangers = new Int32Array(earlier?.rows ?? 0).fill(-1);
	const together = (all: readonly Variable[]) => (all.length === 1 ? all[0]! : ops.concatRows(all));
	return {
		vectors: together(parts),
		owner: joined([ownersOf(positive), strangers, ...negatives.map(ownersOf)]),
		positives: positive.rows + strangers.length,
		known: known && knownDocuments(known, {positive, negatives, earlier: queue?.known}),
		guide: guide && together(guide.slice(1, 2 + negatives.length)),
	};
}

type Documents = Pick<Columns, 'positive' | 'negatives'> & {guide: LossInputs['guide']};

function queriesOf({known}: LossInputs, query: Variable, guide: Variable | undefined): Side {
	return {
		vectors: query,
		owner: Int32Array.from({length: query.rows}, (_, row) => row),
		positives: query.rows,
		known: known && {
			texts: known.texts[0]!,
			queries: known.queries,
			documents: new Float64Array(query.rows),
			sets: known.sets,
		},
		guide,
	};
}

/** What a query, or its positive, meets in one direction. */
function meet(
	ops: LossOperations,
	settings: Settings,
	batch: Batch,
	direction: Direction,
): Softmax {
	const {query, positive, temperature, inputs} = batch;
	const {candidates, clamp, hardness, hardnessOf} = settings;
	const has = (each: Candidates) => candidates.includes(each);
	const isQueries = direction[1] === 'q';
	const side = isQueries ? batch.queries : batch.documents;
	const rules = rulesOf(settings, {
		known: inputs.known,
		columns: side.known,
		isQueries,
		owner: side.owner,
		positives: side.positives,
		positiveOffsets: batch.positiveOffsets,
		limit: batch.limit,
		taught: batch.taught,
		guide: guideOf(batch, direction),
	});
	const options: ContrastOptions = {
		owner: side.owner,
		positives: side.positives,
		own: meetsOwn(direction),
		others: isQueries || has('inBatchPositives'),
		ownHard: direction === 'qd' && has('ownHard'),
		otherHard: !isQueries && has('otherHard'),
		temperature,
		...scoring(settings),
		...(clamp && {clamp}),
		...(hardness > 0 &&
			direction === 'qd' && {
				hardness: {
					strength: hardness,
					own: hardnessOf !== 'inBatch',
					others: hardnessOf !== 'hard',
				},
			}),
		...(rules && {rules}),
	};
	return ops.contrast(direction[0] === 'q' ? query : positive, side.vectors, options);
}

function guideOf({inputs, documents, queries, guideLimit}: Batch, direction: Direction) {
	const rows = inputs.guide?.[direction[0] === 'q' ? 0 : 1];
	const columns = (direction[1] === 'q' ? queries : documents).guide;
	return rows && columns && guideLimit && {rows, columns, limit: guideLimit};
}

/** Whether the own pair's score is among what a direction meets. */
function meetsOwn(direction: Direction): boolean {
	return direction === 'qd' || direction === 'dq';
}

/** How many texts there are of each kind. */
function sizesOf({query, positive, documents, inputs}: Batch): BatchSizes {
	const earlier = inputs.queue?.vectors?.rows ?? 0;
	const hard = documents.vectors.rows - positive.rows - earlier;
	return {queries: query.rows, positives: positive.rows, hard, earlier};
}

/** How many scores one softmax is over, on average: own ones and negatives. */
function candidatesMet({local, hard, queue}: NegativesMet, group: readonly Direction[]): number {
	return Math.max(1, group.filter(meetsOwn).length) + local + hard + queue;
}

/** The softmax over what either is over. */
function unite(ops: LossOperations, a: Softmax, b: Softmax): Softmax {
	const count = ops.add(a.count, b.count);
	const sum = ops.add(ops.multiply(a.mean, a.count), ops.multiply(b.mean, b.count));
	return {lse: ops.logAddExp(a.lse, b.lse), mean: ops.divide(sum, count), count};
}

/** What the direction qd met, for looking at what masks took out. */
function judgedOf({similarity}: Settings, batch: Batch, softmax: Softmax | undefined): Judged {
	const {inputs, query, positive, documents, temperature, taught} = batch;
	return {
		...{inputs, query, similarity, temperature, taught},
		documents: documents.vectors,
		positives: positive.rows,
		earlier: inputs.queue?.vectors?.rows ?? 0,
		removed: softmax?.suspects,
	};
}

/** Hands the positives of this step to the queue. */
function push(ops: LossOperations, settings: Settings, {inputs, positive, documents}: Batch): void {
	const {queue} = inputs;
	if (settings.queue === 0 || !queue) return;
	ops.report('queue.documents', queue.vectors?.rows ?? 0);
	ops.report('queue.age', queue.age.mean);
	ops.report('queue.oldest', queue.age.most);
	const {known} = documents;
	const first = (values: Float64Array) => values.slice(0, positive.rows);
	queue.push(
		positive,
		known && {
			texts: first(known.texts),
			queries: first(known.queries),
			documents: first(known.documents),
			sets: first(known.sets),
		},
	);
}

function temperatureOf(
	ops: LossOperations,
	{temperature, learnTemperature}: Settings,
	{parameters}: LossInputs,
): Variable {
	if (!learnTemperature) {
		return ops.constant([temperature], 1, 1);
	}
	if (!parameters['temperature']) {
		refuse('the parameter temperature', 'none');
	}
	return ops.clamp(parameters['temperature'], leastTemperature);
}

function expectNegatives(settings: Settings, negatives: number): void {
	if (negatives === 0 && !meetsOthers(settings)) {
		refuse('hard negatives, as candidates leave out inBatchPositives', 'none; mine some');
	}
}

function expectGuide({guide, columns}: LossInputs): readonly Variable[] {
	if (guide?.length !== columns.length) {
		refuse(
			"a guide's vectors of each column, as the mask guide needs",
			guide ? `${guide.length}` : 'none',
		);
	}
	for (const [n, {rows}] of columns.entries()) {
		if (guide[n]!.rows !== rows) {
			refuse(`${rows} rows of the guide for column ${n}`, `${guide[n]!.rows}`);
		}
	}
	return guide;
}

function refuse(expected: string, got: string): never {
	throw new EngineError('LOSS_INVALID', `infonce: expected ${expected}, got ${got}`);
}
