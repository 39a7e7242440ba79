// Which texts of a record a row of training takes. A choice is a function of (seed, epoch, row) and
// of how many texts there are, so it can be made without reading any text, and made again.

import {EngineError} from '../errors.js';
import {below, type Random, randomOf, sample} from './random.js';
import type {ByTeacher} from './record.js';

export interface ChoiceOptions {
	/**
	The first positive, one at random, each in a row of its own, all in one row, or the one that its teacher scores
	highest, of all texts or of the positives, which is the only one that such a record has (`ParseRule.byTeacher`).
	*/
	positives?: 'first' | 'random' | 'each' | 'all' | 'teacher' | 'teacherPositive' | undefined;
	/** Hard negatives of a row. */
	negatives?: number | 'all' | undefined;
	/** By their teacher is by their place: such records have them in that order (`ParseRule`). */
	negativeChoice?: 'first' | 'random' | 'teacherTop' | 'teacherBottom' | undefined;
	/** Whether random choices are made anew in each epoch. */
	resample?: 'epoch' | 'once' | undefined;
	/**
	What to do with a record of too few negatives: repeat the list (and leave out a record of none), draw
	again from it, take what is there, leave the record out, or refuse the data.
	*/
	onShortage?: 'tile' | 'tileOrDrop' | 'replace' | 'fewer' | 'drop' | 'error' | undefined;
	seed?: number | undefined;
}

export type ChoiceRule = {[K in keyof ChoiceOptions]-?: Exclude<ChoiceOptions[K], undefined>};

/** Places in the lists of a record. */
export interface Choice {
	positive: number;
	negatives: number[];
}

/** What there is to choose from. */
export interface Supply {
	positives: number;
	negatives: number;
}

/** How records are read for a choice of positives. */
export function byTeacherOf(positives: ChoiceOptions['positives']): ByTeacher {
	return positives === 'teacherPositive' ? 'positives' : positives === 'teacher';
}

/** The rule with every default filled in. */
export function choiceRule(options: ChoiceOptions = {}): ChoiceRule {
	const {positives = 'first', negatives = 'all', negativeChoice = 'first'} = options;
	const {resample = 'epoch', onShortage = 'fewer', seed = 0} = options;
	if (negatives !== 'all' && !(Number.isSafeInteger(negatives) && negatives >= 0)) {
		const message = `negatives: expected "all" or a whole number from 0, got ${negatives}`;
		throw new EngineError('OPTION_RANGE', message);
	}

	return {positives, negatives, negativeChoice, resample, onShortage, seed};
}

/** Whether records of too few negatives for the rule are left out; else they are refused. */
export function leavesOut({onShortage}: Pick<ChoiceRule, 'onShortage'>): boolean {
	return onShortage === 'drop' || onShortage === 'tileOrDrop';
}

/** Whether a record of so many negatives has too few for the rule to make up for. */
export function isShort(available: number, {negatives, onShortage}: ChoiceRule): boolean {
	if (negatives === 'all' || available >= negatives || onShortage === 'fewer') return false;
	return onShortage === 'drop' || onShortage === 'error' || available === 0;
}

/**
The texts of a row. With positives `each` the row itself decides on its positive, given as `own`.
*/
export function choose(
	rule: ChoiceRule,
	{epoch, row}: {epoch: number; row: number},
	supply: Supply,
	own = 0,
): Choice {
	const isRandom = rule.positives === 'random' && supply.positives > 1;
	const random = later(() => randomOf(rule.seed, rule.resample === 'once' ? 0 : epoch, row));
	const positive = isRandom ? below(random, supply.positives) : own;
	return {positive, negatives: chooseNegatives(rule, supply.negatives, random)};
}

function chooseNegatives(rule: ChoiceRule, available: number, random: Random): number[] {
	const {negatives, negativeChoice, onShortage} = rule;
	const isFewer = negatives === 'all' || (available < negatives && onShortage === 'fewer');
	const wanted = isFewer ? available : negatives;
	if (wanted === 0 || available === 0) return [];
	const missing = wanted - available;
	if (missing > 0 && onShortage === 'replace') {
		return [...firstOf(available), ...firstOf(missing).map(() => below(random, available))];
	}

	// Tiling takes from as many whole copies of the list as are needed; without shortage that is one.
	const copies = Math.ceil(wanted / available);
	const isDrawn = negativeChoice === 'random' && wanted < copies * available;
	const taken = isDrawn ? sample(random, wanted, copies * available) : firstOf(wanted);
	return taken.map(index => index % available);
}

/** Random numbers that are begun when the first of them is asked for. */
function later(begin: () => Random): Random {
	let random: Random | undefined;
	return () => {
		random ??= begin();
		return random();
	};
}

function firstOf(count: number): number[] {
	return Array.from({length: count}, (_, index) => index);
}
