// A teacher's scores of each query's documents, learned as LLM-Embedder does (Zhang and others, 2023).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {infoNce} from './infonce.js';
import {joined, type Similarity, similarities} from './inputs.js';
import {defineLoss, type Loss, type LossInputs, type LossNeeds, ownersOf} from './loss.js';
import {numberOption, type Settled, settled, wordOption} from './options.js';
import {distribution, divergence, expectCandidates, listed, tabled} from './teacher.js';

const methods = ['kl', 'stable'] as const;
type Method = (typeof methods)[number];

export type DistillOptions = {
	/** The divergence over a query's own documents, or list-wise over the batch. Default kl. */
	method?: Method;
	/** What a score is. Default cosine. */
	similarity?: Similarity;
	/** What scores are divided by. Default 0.01. */
	temperature?: number;
	/** What they are divided by once more in the divergence. Default 1. */
	studentTemperature?: number;
	/** What the teacher's scores are divided by in the divergence. Default 1. */
	teacherTemperature?: number;
	/** The share of the teacher. Default 1. */
	distillWeight?: number;
	/** The share of the softmax over all documents of the batch. Default 0. */
	contrastiveWeight?: number;
};

const schema = {
	method: wordOption<Method>('kl', methods),
	similarity: wordOption<Similarity>('cosine', similarities),
	temperature: numberOption(0.01, {from: 0, open: true}),
	studentTemperature: numberOption(1, {from: 0, open: true}),
	teacherTemperature: numberOption(1, {from: 0, open: true}),
	distillWeight: numberOption(1, {from: 0}),
	contrastiveWeight: numberOption(0, {from: 0}),
};

type Settings = Settled<typeof schema>;

/**
distillWeight D + contrastiveWeight C; where one weight is 0, the other loss alone and unweighted.

C is the in-batch softmax, infoNce(). D by `kl`: mean over rows of the divergence of the student's
distribution over the row's own documents from the teacher's. D by `stable`: the own documents stand
in order, the positive first, then the negatives as the teacher scores them. Each in turn is to be
found among the documents of the whole batch, less the own ones that stood before it; the mean over
rows of these cross-entropies, weighted by the softmax of the teacher's scores, is D.

Columns: query, positive, negatives. Scores: of each row's positive and then its negatives, row after
row.

@example
await train(model, {data: 'teacher-scores.jsonl', loss: distill({method: 'stable'})});
*/
export function distill(options: DistillOptions = {}): Loss {
	const settings = settled('distill', schema, options);
	expectUsed(options, settings);
	const {similarity, temperature, distillWeight, contrastiveWeight} = settings;
	const contrastive = infoNce({similarity, temperature});
	const facts = {options: settings, needs: needsOf(settings)};
	return defineLoss('distill', facts, (ops, inputs) => {
		if (distillWeight === 0) {
			return contrastive(ops, inputs);
		}
		const taught = taughtBy(ops, settings, inputs);
		if (contrastiveWeight === 0) {
			return taught;
		}
		const found = ops.scale(contrastive(ops, inputs), contrastiveWeight);
		return ops.add(ops.scale(taught, distillWeight), found);
	});
}

function taughtBy(ops: LossOperations, settings: Settings, inputs: LossInputs): Variable {
	const {method, studentTemperature: student, teacherTemperature, temperature} = settings;
	if (method === 'stable') {
		return stable(ops, settings, inputs);
	}
	const candidates = expectCandidates(ops, 'distill', inputs, settings.similarity);
	return divergence(ops, candidates, {
		studentTemperature: student * temperature,
		teacherTemperature,
	});
}

function stable(
	ops: LossOperations,
	{similarity, temperature}: Settings,
	inputs: LossInputs,
): Variable {
	const candidates = expectCandidates(ops, 'distill', inputs, similarity);
	const orders = candidates.teacher.map(rankedBy);
	const weights = candidates.teacher.map((scores, row) => {
		const shares = distribution(scores, 1);
		return orders[row]!.map(place => shares[place]!);
	});
	const scores = ops.scale(listed(ops, candidates, orders, -Infinity), 1 / temperature);
	const finite = ops.scale(listed(ops, candidates, orders, 0), 1 / temperature);

	// From the last to the first, each own document joins those it is to be found among.
	const among: Variable[] = [];
	let met = othersOf(ops, inputs, {similarity, temperature});
	for (let rank = scores.columns - 1; rank >= 0; rank--) {
		met = ops.logAddExp(met, ops.columns(scores, rank, 1));
		among.unshift(met);
	}
	const entropies = ops.subtract(ops.concatColumns(among), finite);
	const sum = ops.sum(ops.multiply(tabled(ops, weights, 0), entropies));
	return ops.scale(sum, 1 / orders.length);
}

/** The positive, then the negatives from the best score to the worst; equal ones as they stand. */
function rankedBy(scores: readonly number[]): number[] {
	const negatives = scores.slice(1).map((_, n) => n + 1);
	return [0, ...negatives.sort((a, b) => scores[b]! - scores[a]!)];
}

/** The log of the sum of e^score over the documents of other rows, (N, 1). */
function othersOf(
	ops: LossOperations,
	{columns}: LossInputs,
	{similarity, temperature}: Pick<Settings, 'similarity' | 'temperature'>,
): Variable {
	const [query, ...documents] = columns;
	const {lse} = ops.contrast(query!, ops.concatRows(documents), {
		owner: joined(documents.map(ownersOf)),
		positives: query!.rows,
		own: false,
		others: true,
		ownHard: false,
		otherHard: true,
		temperature: ops.constant([temperature], 1, 1),
		cosine: similarity === 'cosine',
	});
	return lse;
}

function needsOf({method, distillWeight, contrastiveWeight}: Settings): LossNeeds {
	if (distillWeight === 0) {
		return {};
	}
	const isAlone = method === 'kl' && contrastiveWeight === 0;
	const scores = {of: 'candidates'} as const;
	return {negatives: 'some', scores, across: isAlone ? 'nothing' : 'texts'};
}

function expectUsed(options: DistillOptions, settings: Settings): void {
	const {method, distillWeight, contrastiveWeight} = settings;
	const conflict = (expected: string, got: string) =>
		new EngineError('OPTION_CONFLICT', `distill: expected ${expected}, got ${got}`);
	if (distillWeight === 0 && contrastiveWeight === 0) {
		throw conflict('distillWeight or contrastiveWeight above 0', 'both 0');
	}
	for (const name of ['studentTemperature', 'teacherTemperature'] as const) {
		if (options[name] !== undefined && method === 'stable') {
			throw conflict(`${name} with the method kl`, 'it with stable, which has none');
		}
	}
}
