// What a loss needs of the data, asked of every record before training, and the numbers of a batch as
// the loss gets them.

import {type ChoiceRule, isShort} from '../data/choose.js';
import type {TrainingRecord} from '../data/record.js';
import type {RowTexts} from '../data/rows.js';
import {EngineError} from '../errors.js';
import type {Loss, LossInputs, LossNeeds, NumbersNeeded} from '../loss/loss.js';
import {needsOfSet} from '../loss/needs.js';

/** Refuses a record of a data set by its place and the field that is wrong. */
export type RecordCheck = (record: TrainingRecord, where: string, set: string) => void;

type Choosing = Pick<ChoiceRule, 'negatives' | 'onShortage'>;

/** The check of a loss's needs; nothing for a loss that says none. */
export function needsCheck(loss: Loss, rule: Choosing): RecordCheck | undefined {
	const {needs: all} = loss;
	if (all === undefined) return undefined;
	const isLabelled = new Map<LossNeeds, boolean>();
	return (record, where, set) => {
		const needs = needsOfSet(all, set);
		const asking = needs === all ? `the loss ${loss.name}` : `the loss of ${set}`;
		const negatives = takenNegatives(record, rule);
		if (negatives === undefined) return;
		const refuse = (expected: string, got: string): never => {
			const message = `${where}: expected ${expected}, as ${asking} needs, got ${got}`;
			throw new EngineError('DATA_ROW', message);
		};
		checkNegatives(needs, negatives, refuse);
		checkLabel(needs, {record, negatives}, refuse);
		checkScores(needs, {record, negatives}, refuse);
		if (needs.label?.optional === undefined) return;
		const has = record.label !== undefined;
		const before = isLabelled.get(needs) ?? has;
		isLabelled.set(needs, before);
		if (before === has) return;
		refuse('a "label" in all records or in none', before ? 'none' : 'one after rows of none');
	};
}

/** Refuses data sets that have no loss, and losses that have no data set of those to train on. */
export function expectSets(
	{needs: {sets, otherSets} = {}}: Loss,
	names: readonly string[],
	{isHeldOut = false} = {},
): void {
	if (sets === undefined) return;
	const known = Object.keys(sets);
	const stranger = known.find(name => !names.includes(name));
	const given = [...new Set(names)].join(', ');
	if (stranger !== undefined && !isHeldOut) {
		const message = `loss-for: expected names of data sets among ${given}, got ${stranger}`;
		throw new EngineError('OPTION_RANGE', message);
	}
	const left = names.find(name => !known.includes(name));
	if (left === undefined || otherSets) return;
	const hint = isHeldOut ? '; name held-out rows as the data set whose loss they have' : '';
	const message = `loss-for: expected a loss for each of ${given}, got none for ${left}${hint}`;
	throw new EngineError('OPTION_MISSING', message);
}

/** Refuses a model whose embeddings are narrower than what the loss looks at. */
export function expectWidth({name, needs: {width: needed = 1} = {}}: Loss, width: number): void {
	if (needed <= width) return;
	throw new EngineError(
		'OPTION_RANGE',
		`${name}: expected widths of at most ${width}, that of the model's embeddings, got ${needed}`,
	);
}

type Refuse = (expected: string, got: string) => never;
type Asked = {record: TrainingRecord; negatives: number};

/** How many negatives a row takes of a record; nothing where the record is left out. */
function takenNegatives(record: TrainingRecord, rule: Choosing): number | undefined {
	const available = record.negatives.length;
	const {negatives, onShortage} = rule;
	const whole = {...rule, positives: 'first', negativeChoice: 'first', resample: 'epoch', seed: 0};
	if (isShort(available, whole as ChoiceRule)) return undefined;
	if (negatives === 'all' || available === 0) return negatives === 0 ? 0 : available;
	return onShortage === 'fewer' ? Math.min(negatives, available) : negatives;
}

function checkNegatives({negatives}: LossNeeds, taken: number, refuse: Refuse): void {
	if (negatives === 'none' && taken > 0) {
		refuse('no "negative"', `${taken}; use --negatives 0`);
	}
	if (negatives === 'some' && taken === 0) {
		refuse('a "negative"', 'none; mine some');
	}
	if (negatives === 'one' && taken !== 1) {
		refuse('one "negative"', taken === 0 ? 'none; mine one' : `${taken}; use --negatives 1`);
	}
}

function checkLabel({label}: LossNeeds, {record, negatives}: Asked, refuse: Refuse): void {
	if (label === undefined) return;
	if (record.label === undefined) {
		if (label.optional === 'always') return;
		if (label.optional === 'withNegatives' && negatives > 0) return;
		refuse(`a "label" ${wordsOf(label)}`, 'none');
	} else if (!isAmong(label, record.label)) {
		refuse(`a "label" ${wordsOf(label)}`, `${record.label}`);
	}
}

function checkScores({scores}: LossNeeds, {record, negatives}: Asked, refuse: Refuse): void {
	if (scores === undefined) return;
	const {positiveScores, negativeScores = [], score, label} = record;
	const own = positiveScores ?? [score ?? label];
	const others = scores.of === 'row' || negatives === 0 ? [] : negativeScores;
	if (scores.of === 'row' && own[0] === undefined) {
		refuse(`a "score" ${wordsOf(scores)}`, 'none');
	}
	if (scores.optional && negatives === 0) return;
	const isWhole = positiveScores !== undefined && (negatives === 0 || others.length > 0);
	if (scores.of === 'candidates' && !isWhole) {
		refuse('"teacher_scores" of the positives and negatives', 'none, or not of all');
	}
	const wrong = [...own, ...others].find(value => !isAmong(scores, value!));
	if (wrong !== undefined) refuse(`a "score" ${wordsOf(scores)}`, `${wrong}`);
}

function isAmong({from, to, whole, among}: NumbersNeeded, value: number): boolean {
	if (among && !among.includes(value)) return false;
	if (whole && !Number.isInteger(value)) return false;
	return (from === undefined || value >= from) && (to === undefined || value <= to);
}

function wordsOf({from, to, whole, among}: NumbersNeeded): string {
	if (among) return `of ${among.join(' or ')}`;
	const kind = whole ? 'that is a whole number' : 'that is a number';
	const range = [from === undefined ? '' : ` from ${from}`, to === undefined ? '' : ` to ${to}`];
	return `${kind}${range.join('')}`;
}

/** Labels and scores of the rows, where every one of them has them. */
export function factsOf(
	texts: readonly RowTexts[],
	needs: LossNeeds = {},
	sets: readonly string[] = [],
): Pick<LossInputs, 'labels' | 'scores'> {
	const {scores} = needs;
	if (needs.sets) return factsOfSets(texts, sets, needs);
	const labels = listed(texts, ({label}) => label);
	const missing = scores?.optional && Number.NaN;
	const rows = listed(
		texts,
		({score, label}) => score ?? (scores ? (label ?? missing) : undefined),
	);
	const ofCandidates = () => rows && Float32Array.from(texts.flatMap(candidateScores));
	const given = scores?.of === 'candidates' ? ofCandidates() : rows;
	return {...(labels && {labels}), ...(given && {scores: given})};
}

/** What each row has of what the loss of its set asks for; a label that is not there is no number. */
function factsOfSets(
	texts: readonly RowTexts[],
	sets: readonly string[],
	needs: LossNeeds,
): Pick<LossInputs, 'labels' | 'scores'> {
	const scores = texts.flatMap((row, n) => {
		const {of} = needsOfSet(needs, sets[n]!).scores ?? {};
		if (of === undefined) return [];
		return of === 'row' ? [row.score ?? row.label!] : candidateScores(row);
	});
	const labels = Float32Array.from(texts, ({label = Number.NaN}) => label);
	return {labels, ...(scores.length > 0 && {scores: Float32Array.from(scores)})};
}

function candidateScores({score, negativeScores = []}: RowTexts): number[] {
	return [score ?? Number.NaN, ...negativeScores];
}

function listed(
	texts: readonly RowTexts[],
	value: (row: RowTexts) => number | undefined,
): Float32Array | undefined {
	const all = texts.map(value);
	return all.every(each => each !== undefined) ? Float32Array.from(all) : undefined;
}
