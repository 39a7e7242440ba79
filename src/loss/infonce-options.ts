// The options of the in-batch family, and what they are checked for.

import {EngineError} from '../errors.js';
import {isJudge, judgingRules, type Margin, type MaskRule, maskRules} from './false-negatives.js';
import {similarities} from './inputs.js';
import {type Candidates, candidateKinds, type Nesting} from './loss.js';
import {expectBoolean, expectNone, expectNumber, expectOneOf, expectSome} from './options.js';

const allDirections = ['qd', 'dq', 'qq', 'dd'] as const;
const partitions = ['separate', 'joint'] as const;
const positiveTargets = ['mean', 'logSum'] as const;
const weighable = ['inBatch', 'hard', 'all'] as const;

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
	/**
	What is asked of a query's several positives: that each be likely (`mean`: the mean of −log p, as
	in supervised contrastive learning) or that together they be (`logSum`: −log Σ p, as in MIL-NCE).
	All stand in the softmax. Default mean.
	*/
	positives?: (typeof positiveTargets)[number];
	/** Scores before the temperature count as these beyond them, without gradient. Default none. */
	clamp?: readonly [lowest: number, highest: number] | null;
	/**
	Weighs negatives by how hard they are: so many times its score before the temperature, as a
	constant, is added to the score of a negative in the direction qd. Default 0.
	*/
	hardness?: number;
	/**
	The negatives that hardness weighs: what belongs to other queries (`inBatch`), the own hard ones
	(`hard`), or `all`. Default inBatch.
	*/
	hardnessOf?: (typeof weighable)[number];
	/**
	Rules that take out likely false negatives; own positives stay. `same-text`: the text of the query
	or of its positive. `same-query`: a positive of the same query. `known`: a positive of the query
	by the data or by judgements. `teacher`: an own negative that the teacher scores above the positive's
	score less a margin, in units of its scores. `other-set`: from another data set. `margin`: a score above the own
	positive's less a margin. `guide`: the same by the cosines of a guide. Default none.
	*/
	mask?: readonly MaskRule[];
	/**
	The margin of margin and guide, in units of the score before the temperature, and of teacher.
	Default 0.05.
	*/
	maskMargin?: number;
	/** Instead of a margin: the share of the own positive's score that is the limit, such as 0.95. */
	maskRelative?: number;
	/**
	How many documents of earlier steps every query meets too, as the model then saw them; they are
	other queries' positives. Default 0.
	*/
	queue?: number;
};

export type Settings = Required<Omit<InfoNceOptions, 'maskMargin' | 'maskRelative'>> & {
	margin: Margin;
	/** Widths that are done in one pass; only while a loss runs. */
	nesting?: Nesting;
};

/** A learned temperature counts as this where it falls below. */
export const leastTemperature = 0.001;

const standard: Settings = {
	temperature: 0.05,
	learnTemperature: false,
	similarity: 'cosine',
	labelSmoothing: 0,
	candidates: candidateKinds,
	directions: ['qd'],
	partition: 'separate',
	positives: 'mean',
	clamp: null,
	hardness: 0,
	hardnessOf: 'inBatch',
	mask: [],
	margin: {absolute: 0.05},
	queue: 0,
};

/** All options, given or by default, once they are known to be right; `taken` are the loss's own. */
export function settle(
	loss: string,
	options: InfoNceOptions,
	taken: readonly (keyof InfoNceOptions)[] = [],
): Settings {
	const {maskMargin, maskRelative, ...others} = options;
	const {margin: _, ...known} = standard;
	const all = [...Object.keys(known), 'maskMargin', 'maskRelative'];
	const names = all.filter(name => !(taken as readonly string[]).includes(name));
	const strangers = Object.entries(options).filter(([name]) => !names.includes(name));
	expectNone(loss, Object.fromEntries(strangers), names);
	const given = Object.entries(others).filter(([, value]) => value !== undefined);
	const margin = marginOf(loss, options);
	const settings: Settings = {...standard, ...Object.fromEntries(given), margin};
	expectValues(loss, settings);
	expectFitting(loss, settings);
	expectUsed(loss, options, settings);
	return settings;
}

/** The settings under the names that options have, but for those that are the loss's own. */
export function recordOf(
	{margin, ...settings}: Settings,
	taken: readonly (keyof InfoNceOptions)[] = [],
): Record<string, unknown> {
	const byName =
		'relative' in margin ? {maskRelative: margin.relative} : {maskMargin: margin.absolute};
	const entries = Object.entries({...settings, ...byName});
	return Object.fromEntries(
		entries.filter(([name]) => !(taken as readonly string[]).includes(name)),
	);
}

function expectValues(loss: string, settings: Settings): void {
	const {temperature, learnTemperature, labelSmoothing, clamp, hardness, queue, mask} = settings;
	expectBoolean(loss, 'learnTemperature', learnTemperature);
	const from = learnTemperature ? {from: leastTemperature} : {from: 0, open: true};
	expectNumber(loss, 'temperature', temperature, from);
	expectOneOf(loss, 'similarity', settings.similarity, similarities);
	expectNumber(loss, 'labelSmoothing', labelSmoothing, {from: 0, below: 1});
	expectSome(loss, 'candidates', settings.candidates, candidateKinds);
	expectSome(loss, 'directions', settings.directions, allDirections);
	expectOneOf(loss, 'partition', settings.partition, partitions);
	expectOneOf(loss, 'positives', settings.positives, positiveTargets);
	expectNumber(loss, 'hardness', hardness, {from: 0});
	expectOneOf(loss, 'hardnessOf', settings.hardnessOf, weighable);
	expectNumber(loss, 'queue', queue, {from: 0, to: 2 ** 22, whole: true});
	if (!Array.isArray(mask) || mask.length > 0) expectSome(loss, 'mask', mask, maskRules);
	if (clamp !== null) expectLimits(loss, clamp);
}

function expectLimits(loss: string, clamp: unknown): void {
	const isPair = Array.isArray(clamp) && clamp.length === 2;
	if (isPair && clamp.every(Number.isFinite) && clamp[0] < clamp[1]) return;
	throw new EngineError(
		'OPTION_RANGE',
		`${loss}: expected clamp to be two rising numbers, such as -1,1, got ${JSON.stringify(clamp)}`,
	);
}

function marginOf(loss: string, {maskMargin, maskRelative}: InfoNceOptions): Margin {
	if (maskMargin !== undefined && maskRelative !== undefined) {
		conflict(loss, 'one of maskMargin and maskRelative', 'both');
	}
	if (maskRelative !== undefined) {
		expectNumber(loss, 'maskRelative', maskRelative, {from: 0, open: true, to: 1});
		return {relative: maskRelative};
	}
	const absolute = maskMargin ?? 0.05;
	expectNumber(loss, 'maskMargin', absolute, {from: 0});
	return {absolute};
}

function expectFitting(loss: string, settings: Settings): void {
	const {directions, candidates, hardness, mask, queue} = settings;
	if (directions.includes('dd') && candidates.every(each => each === 'ownHard')) {
		conflict(loss, 'direction dd with inBatchPositives or otherHard', 'ownHard alone');
	}
	if (hardness > 0 && !directions.includes('qd')) {
		conflict(loss, 'hardness with direction qd', directions.join(', '));
	}
	if (queue > 0 && !(directions.includes('qd') && candidates.includes('inBatchPositives'))) {
		conflict(loss, 'a queue with direction qd and candidates inBatchPositives', 'neither or one');
	}
	const hasOwn = directions.includes('qd') && candidates.includes('ownHard');
	if (mask.includes('teacher') && !hasOwn) {
		conflict(loss, 'the mask teacher with direction qd and candidates ownHard', 'neither or one');
	}
	if (queue > 0 && mask.includes('guide')) {
		conflict(loss, 'a queue without the mask guide, which has no vectors of it', 'both');
	}
}

/** Refuses what is given and has no effect. */
function expectUsed(loss: string, options: InfoNceOptions, {mask, hardness}: Settings): void {
	const margin = (['maskMargin', 'maskRelative'] as const).find(
		name => options[name] !== undefined,
	);
	if (margin !== undefined && !mask.some(isJudge)) {
		conflict(loss, `${margin} beside a mask among ${judgingRules.join(', ')}`, 'none of these');
	}
	if (options.hardnessOf !== undefined && hardness === 0) {
		conflict(loss, 'hardnessOf beside a hardness above 0', 'none');
	}
}

/** Refuses the mask of a teacher, where rows have no negatives of their own. */
export function expectNoTeacher(loss: string, {mask}: Pick<Settings, 'mask'>): void {
	if (!mask.includes('teacher')) return;
	conflict(loss, 'masks without teacher, as rows have no hard negatives', 'it');
}

function conflict(loss: string, expected: string, got: string): never {
	throw new EngineError('OPTION_CONFLICT', `${loss}: expected ${expected}, got ${got}`);
}

export function meetsOthers({candidates, directions}: Settings): boolean {
	return candidates.includes('inBatchPositives') || directions.some(each => each[1] === 'q');
}
