// The in-batch family: each query must find its own positive among the texts of the batch.

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {joined, similarities} from './inputs.js';
import {expectColumns, type Loss, type LossInputs, type LossNeeds, ownersOf} from './loss.js';
import {expectBoolean, expectNone, expectNumber, expectOneOf, expectSome} from './options.js';

const allCandidates = ['inBatchPositives', 'ownHard', 'otherHard'] as const;
const allDirections = ['qd', 'dq', 'qq', 'dd'] as const;
const partitions = ['separate', 'joint'] as const;

export type Candidates = (typeof allCandidates)[number];
export type Direction = (typeof allDirections)[number];

export type InfoNceOptions = {
	/** What scores are divided by. Default 0.05. */
	temperature?: number;
	/** Whether the temperature is trained, from that value on, down to 0.001. Default false. */
	learnTemperature?: boolean;
	/** What a score is. Default cosine. */
	similarity?: (typeof similarities)[number];
	/** How much of the target is spread evenly over all candidates. Default 0. */
	labelSmoothing?: number;
	/** The documents that are met beside the own positive. Default all. */
	candidates?: readonly Candidates[];
	/**
	Who meets whom: a query documents (qd), a document queries (dq), a query other queries (qq), a
	document other queries' documents (dd). Default qd.
	*/
	directions?: readonly Direction[];
	/** A softmax for each direction and their mean, or a joint one. Default separate. */
	partition?: (typeof partitions)[number];
};

type Settings = Required<InfoNceOptions>;

/** A learned temperature counts as this where it falls below. */
const leastTemperature = 0.001;

/** A softmax for each query: its normaliser, the mean and the number of its scores, (N, 1). */
type Softmax = {lse: Variable; mean: Variable; count: Variable};

type Batch = {
	query: Variable;
	positive: Variable;
	/** The positives, then hard negatives where some are met. */
	documents: Variable;
	/** For each document its query. */
	owner: Int32Array;
	temperature: Variable;
	/** Each query meets its own positive alone: lse and mean are that score, by the same arithmetic. */
	own: Softmax;
};

/**
Mean over queries of log Σ eˢ − (1 − ε) s⁺ − ε mean(s), where s runs over the candidates of a query,
s⁺ is the score of its own positive, which always is a candidate, and ε the label smoothing. Scores
are divided by the temperature.

Every direction meets its own pair's score: in dq a document meets all queries, in qq and dd the pair
stands beside the other texts of the same kind; `candidates` chooses among documents, in qd and dd.
A joint softmax unites what the directions meet, so with qd and dq it counts the own pair in both,
as sentence-transformers and GTE do.

@example
await train(model, {data: 'pairs.jsonl', loss: infoNce({directions: ['qd', 'dq']})});
*/
export function infoNce(options: InfoNceOptions = {}): Loss {
	const settings = checked(options);
	const {directions, labelSmoothing, learnTemperature, partition, temperature} = settings;
	const groups = partition === 'joint' ? [directions] : directions.map(each => [each]);

	const infonce: Loss = (ops, inputs) => {
		const batch = batchOf(ops, settings, inputs);
		const softmaxes = groups.map(group => softmaxOf(ops, settings, batch, group));
		ops.report('candidates', candidatesMet(settings, batch, groups[0]!));
		ops.report('temperature', learnTemperature ? batch.temperature : temperature);
		const target = ops.scale(batch.own.lse, 1 - labelSmoothing);
		const terms = softmaxes.map(({lse, mean}) => {
			const term = ops.subtract(lse, target);
			return labelSmoothing === 0 ? term : ops.subtract(term, ops.scale(mean, labelSmoothing));
		});
		return ops.mean(ops.concatColumns(terms));
	};
	const parameters = learnTemperature ? [{name: 'temperature', value: temperature}] : [];
	const needsOwn = !meetsOthers(settings) && !settings.candidates.includes('otherHard');
	const needs: LossNeeds = needsOwn ? {negatives: 'some'} : {};
	return Object.assign(infonce, {parameters, options: settings, needs});
}

function batchOf(ops: LossOperations, settings: Settings, inputs: LossInputs): Batch {
	const {columns: given} = inputs;
	const [query, positive, ...negatives] = expectColumns('infonce', given, 2, {more: true});
	expectNegatives(settings, negatives.length);
	const meetsHard = settings.candidates.some(each => each !== 'inBatchPositives');
	const columns = meetsHard ? [positive, ...negatives] : [positive];
	const temperature = temperatureOf(ops, settings, inputs);
	const owner = joined(columns.map(ownersOf));
	const own = ops.contrast(query, positive, {
		owner: owner.subarray(0, query.rows),
		positives: query.rows,
		own: true,
		others: false,
		ownHard: false,
		otherHard: false,
		temperature,
		cosine: settings.similarity === 'cosine',
	});
	const documents = columns.length === 1 ? positive : ops.concatRows(columns);
	return {query, positive, documents, owner, temperature, own};
}

function softmaxOf(
	ops: LossOperations,
	settings: Settings,
	batch: Batch,
	group: readonly Direction[],
): Softmax {
	const met = group.map(direction => meet(ops, settings, batch, direction));
	const all = group.some(meetsOwn) ? met : [...met, batch.own];
	return all.reduce((a, b) => unite(ops, a, b));
}

/** What a query, or its positive, meets in one direction. */
function meet(
	ops: LossOperations,
	settings: Settings,
	batch: Batch,
	direction: Direction,
): Softmax {
	const {query, positive, documents, temperature} = batch;
	const has = (each: Candidates) => settings.candidates.includes(each);
	const ofDocuments = {
		owner: batch.owner,
		others: has('inBatchPositives'),
		otherHard: has('otherHard'),
	};
	const ofQueries = {owner: batch.owner.subarray(0, query.rows), others: true, otherHard: false};
	const shared = {
		positives: query.rows,
		own: meetsOwn(direction),
		ownHard: direction === 'qd' && has('ownHard'),
		temperature,
		cosine: settings.similarity === 'cosine',
	};
	const rows = direction === 'qd' || direction === 'qq' ? query : positive;
	return direction === 'qd' || direction === 'dd'
		? ops.contrast(rows, documents, {...shared, ...ofDocuments})
		: ops.contrast(rows, query, {...shared, ...ofQueries});
}

/** Whether the own pair's score is among what a direction meets. */
function meetsOwn(direction: Direction): boolean {
	return direction === 'qd' || direction === 'dq';
}

/** How many scores one softmax is over, on average. */
function candidatesMet(
	{candidates}: Settings,
	{query, documents}: Batch,
	group: readonly Direction[],
): number {
	const ownHard = (documents.rows - query.rows) / query.rows;
	const otherHard = documents.rows - query.rows - ownHard;
	const count = (name: Candidates, size: number) => (candidates.includes(name) ? size : 0);
	const others = count('inBatchPositives', query.rows - 1) + count('otherHard', otherHard);
	const met = {
		qd: 1 + others + count('ownHard', ownHard),
		dq: query.rows,
		qq: query.rows - 1,
		dd: others,
	};
	const own = group.some(meetsOwn) ? 0 : 1;
	return group.reduce((sum, direction) => sum + met[direction], own);
}

/** The softmax over what either is over. */
function unite(ops: LossOperations, a: Softmax, b: Softmax): Softmax {
	const count = ops.add(a.count, b.count);
	const sum = ops.add(ops.multiply(a.mean, a.count), ops.multiply(b.mean, b.count));
	return {lse: ops.logAddExp(a.lse, b.lse), mean: ops.divide(sum, count), count};
}

function temperatureOf(
	ops: LossOperations,
	{temperature, learnTemperature}: Settings,
	{parameters}: LossInputs,
): Variable {
	if (!learnTemperature) {
		return ops.constant([temperature], 1, 1);
	}
	if (!parameters.temperature) {
		throw new EngineError('LOSS_INVALID', 'infonce: expected the parameter temperature, got none');
	}
	return ops.clamp(parameters.temperature, leastTemperature);
}

/** Whether a query meets texts of other rows even where there are no hard negatives. */
function meetsOthers({candidates, directions}: Settings): boolean {
	return candidates.includes('inBatchPositives') || directions.some(each => each[1] === 'q');
}

function expectNegatives(settings: Settings, negatives: number): void {
	if (negatives === 0 && !meetsOthers(settings)) {
		throw new EngineError(
			'LOSS_INVALID',
			'infonce: expected hard negatives, as candidates leave out inBatchPositives, got none; mine some',
		);
	}
}

function checked({
	temperature = 0.05,
	learnTemperature = false,
	similarity = 'cosine',
	labelSmoothing = 0,
	candidates = allCandidates,
	directions = ['qd'],
	partition = 'separate',
	...unknown
}: InfoNceOptions): Settings {
	const settings = {
		temperature,
		learnTemperature,
		similarity,
		labelSmoothing,
		candidates,
		directions,
		partition,
	};
	expectNone('infonce', unknown, Object.keys(settings));
	expectBoolean('infonce', 'learnTemperature', learnTemperature);
	const from = learnTemperature ? {from: leastTemperature} : {from: 0, open: true};
	expectNumber('infonce', 'temperature', temperature, from);
	expectOneOf('infonce', 'similarity', similarity, similarities);
	expectNumber('infonce', 'labelSmoothing', labelSmoothing, {from: 0, below: 1});
	expectSome('infonce', 'candidates', candidates, allCandidates);
	expectSome('infonce', 'directions', directions, allDirections);
	expectOneOf('infonce', 'partition', partition, partitions);
	if (directions.includes('dd') && candidates.every(each => each === 'ownHard')) {
		throw new EngineError(
			'OPTION_CONFLICT',
			'infonce: expected direction dd with inBatchPositives or otherHard, got ownHard alone',
		);
	}
	return settings;
}
