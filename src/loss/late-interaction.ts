// Late interaction: texts are compared by the vectors of their tokens (ColBERT, Khattab and Zaharia,
// 2020).

import type {LossOperations} from '../autograd/operations.js';
import type {Variable} from '../autograd/tape.js';
import {EngineError} from '../errors.js';
import {behindOneAnother, joined, refuse} from './inputs.js';
import {
	type Candidates,
	type Column,
	candidateKinds,
	defineLoss,
	expectColumns,
	type Loss,
	type LossInputs,
	type LossNeeds,
	ownersOf,
	textsOf,
} from './loss.js';
import {numberOption, type Settled, settled, wordOption, wordsOption} from './options.js';
import {divergence, expectTaught} from './teacher.js';

const name = 'lateinteraction';
const forms = ['contrastive', 'distill'] as const;
const scorings = ['sum', 'mean'] as const;
type Form = (typeof forms)[number];
type Scoring = (typeof scorings)[number];

export type LateInteractionOptions = {
	/** The softmax over the documents of the batch, or a teacher's distribution. Default contrastive. */
	form?: Form;
	/** Whether what is nearest to each token of a query is added up, or its mean taken. Default sum. */
	scoring?: Scoring;
	/** What scores are divided by. Default 1. */
	temperature?: number;
	/** The documents that are met beside the own positive. Default all; of `contrastive`. */
	candidates?: readonly Candidates[];
	/** What the teacher's scores are divided by, of `distill`. Default 1. */
	teacherTemperature?: number;
};

const schema = {
	form: wordOption<Form>('contrastive', forms),
	scoring: wordOption<Scoring>('sum', scorings),
	temperature: numberOption(1, {from: 0, open: true}),
	candidates: wordsOption<Candidates>(candidateKinds, candidateKinds),
	teacherTemperature: numberOption(1, {from: 0, open: true}),
};

type Settings = Settled<typeof schema>;

/**
With tokens of length 1, the score of a query and a document is MaxSim: over the query's tokens the
sum, or mean, of the largest dot product with a token of the document. Scores are divided by the
temperature.

- contrastive: mean over queries of log Σ eˢ − s⁺, where s runs over the documents that `candidates`
  choose and s⁺ is the score of the own positive, which always is among them, as in
  sentence-transformers' MultiVectorMultipleNegativesRankingLoss;
- distill: mean over queries of the divergence of the softmax over the own documents, positive and
  negatives, from that of a teacher's scores of them.

Columns: query, positive, negatives, each with `tokens`. Scores, of distill: of each row's positive
and then its negatives, row after row.

@example
await train(model, {data: 'triplets.jsonl', loss: lateInteraction({temperature: 0.5})});
*/
export function lateInteraction(options: LateInteractionOptions = {}): Loss {
	const settings = settled(name, schema, options);
	expectUsed(options, settings);
	const logits: Loss['logits'] = (ops, inputs) =>
		ops.clamp(batchOf({...ops, report: () => undefined}, settings, inputs).scores, lowest);
	const facts = {options: settings, needs: needsOf(settings), logits};
	return defineLoss(name, facts, (ops, inputs) => {
		const batch = batchOf(ops, settings, inputs);
		return settings.form === 'distill'
			? taught(ops, settings, batch, inputs)
			: contrasted(ops, batch);
	});
}

/** Below every score; finite, for what looks at whole rows of scores. */
const lowest = -1e9;

type Batch = {
	/** Of queries and documents, positives first; minus infinity where they do not meet. */
	scores: Variable;
	/** The query of each negative. */
	negativeOwner: Int32Array;
};

function contrasted(ops: LossOperations, {scores}: Batch): Variable {
	const places = Array.from({length: scores.rows}, (_, row) => row);
	return ops.mean(ops.subtract(ops.logSumExpRows(scores), ops.pick(scores, places)));
}

function taught(
	ops: LossOperations,
	{teacherTemperature}: Settings,
	{scores, negativeOwner}: Batch,
	inputs: LossInputs,
): Variable {
	const queries = scores.rows;
	const places = Array.from({length: queries}, (_, row) => row);
	const negatives = Array.from(negativeOwner, (_, n) => queries + n);
	const near = ops.pick(scores, places);
	const far = ops.pick(ops.gatherRows(scores, negativeOwner), negatives);
	const known = expectTaught(name, inputs, negativeOwner, queries);
	return divergence(ops, {near, far, ...known}, {studentTemperature: 1, teacherTemperature});
}

function batchOf(ops: LossOperations, settings: Settings, {columns}: LossInputs): Batch {
	const {candidates, form} = settings;
	const [query, positive, ...others] = expectColumns(name, columns, 2, {more: true});
	const isOwn = form === 'distill';
	const has = (each: Candidates) => !isOwn && candidates.includes(each);
	const meetsHard = isOwn || has('ownHard') || has('otherHard');
	const negatives = meetsHard ? others.filter(column => textsOf(column) > 0) : [];
	if (negatives.length === 0 && !has('inBatchPositives')) {
		refuse(name, 'hard negatives, as nothing else is met', 'none; mine some');
	}
	const queryOffsets = expectTokens(query);
	const documents = [positive, ...negatives];
	const negativeOwner = joined(negatives.map(ownersOf));
	const rows = documents.map(document => ops.normalizeRows(document));
	const scores = ops.maxSim(ops.normalizeRows(query), ops.concatRows(rows), {
		queryOffsets,
		documentOffsets: behindOneAnother(documents.map(expectTokens)),
		owner: joined([ownersOf(positive), negativeOwner]),
		positives: textsOf(positive),
		own: true,
		others: has('inBatchPositives'),
		ownHard: isOwn || has('ownHard'),
		otherHard: has('otherHard'),
	});
	ops.report('candidates', candidatesMet(has, textsOf(query), negativeOwner.length, isOwn));
	ops.report('temperature', settings.temperature);
	const unit = shares(settings, queryOffsets);
	const divided = ops.multiply(scores, ops.constant(unit, unit.length, 1));
	return {scores: divided, negativeOwner};
}

/** How many documents a query meets, on average. */
function candidatesMet(
	has: (each: Candidates) => boolean,
	queries: number,
	negatives: number,
	isOwn: boolean,
): number {
	const own = negatives / queries;
	const others = has('inBatchPositives') ? queries - 1 : 0;
	const otherHard = has('otherHard') ? negatives - own : 0;
	return 1 + others + (isOwn || has('ownHard') ? own : 0) + otherHard;
}

/** What the scores of each query are multiplied with. */
function shares({scoring, temperature}: Settings, offsets: Int32Array): Float32Array {
	return Float32Array.from({length: offsets.length - 1}, (_, query) => {
		const tokens = Math.max(1, offsets[query + 1]! - offsets[query]!);
		return 1 / (temperature * (scoring === 'mean' ? tokens : 1));
	});
}

function expectTokens({tokens}: Column): Int32Array {
	return tokens ?? refuse(name, 'rows of tokens, with where each text begins', 'one row a text');
}

function needsOf({form, candidates}: Settings): LossNeeds {
	if (form === 'distill') {
		const scores = {of: 'candidates'} as const;
		return {tokens: true, negatives: 'some', scores, across: 'nothing'};
	}
	const needsOwn = candidates.every(each => each === 'ownHard');
	const alone = needsOwn && ({negatives: 'some', across: 'nothing'} as const);
	return {tokens: true, meets: candidates, ...alone};
}

function expectUsed(options: LateInteractionOptions, {form}: Settings): void {
	const owners = {candidates: 'contrastive', teacherTemperature: 'distill'} as const;
	for (const [option, owner] of Object.entries(owners)) {
		if (options[option as keyof typeof owners] === undefined || owner === form) continue;
		const message = `${name}: expected ${option} with the form ${owner}, got it with ${form}`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
}
