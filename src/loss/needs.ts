// What losses that are made of others need of the data: the needs of their parts, united.

import {
	type Candidates,
	candidateKinds,
	type Loss,
	type LossNeeds,
	type NumbersNeeded,
} from './loss.js';
import {nameOf, refuse} from './parts.js';

/** What a loss needs of the rows of a data set. */
export function needsOfSet(needs: LossNeeds, set: string): LossNeeds {
	if (needs.sets === undefined) return needs;
	return Object.hasOwn(needs.sets, set) ? needs.sets[set]! : (needs.otherSets ?? needs);
}

/** The documents that a query is compared with beside its own positive. */
export function metBy({meets, across}: LossNeeds = {}): readonly Candidates[] {
	if (across === 'rows') return [];
	return meets ?? (across === 'nothing' ? ['ownHard'] : candidateKinds);
}

/** What all of these losses need of the same rows; refused where no row could serve them all. */
export function unitedNeeds(where: string, losses: readonly Loss[]): LossNeeds {
	const label = united(where, losses, 'label');
	const scores = united(where, losses, 'scores');
	const negatives = negativesOf(where, losses);
	return {
		...sharedNeeds(where, losses),
		...(label && {label}),
		...(scores && {scores}),
		...(negatives && {negatives}),
	};
}

/** The part of it that must be alike for all rows of a batch, whichever loss sees which. */
export function sharedNeeds(where: string, losses: readonly Loss[]): LossNeeds {
	const all = losses.map(({needs = {}}) => needs);
	const bySet = losses.find(({needs}) => needs?.sets);
	if (bySet) refuse(where, 'losses that are the same for all data sets', nameOf(bySet));
	const has = (key: 'teacher' | 'known' | 'guide') => all.some(needs => needs[key]);
	const isSeveral = all.every(({positives}) => positives === 'several');
	const row = same(where, losses, 'row');
	const views = same(where, losses, 'views');
	const passes = same(where, losses, 'passes');
	const tokens = same(where, losses, 'tokens');
	return {
		...(row && {row}),
		...(views && {views}),
		...(passes && {passes}),
		...(tokens && {tokens}),
		...(isSeveral && {positives: 'several'}),
		...(has('teacher') && {teacher: true}),
		...(has('known') && {known: true}),
		...(has('guide') && {guide: true}),
		width: Math.max(...all.map(({width = 1}) => width)),
		across: widestOf(all),
		meets: candidateKinds.filter(each => all.some(needs => metBy(needs).includes(each))),
	};
}

const reach = ['nothing', 'rows', 'texts'] as const;

function widestOf(all: readonly LossNeeds[]): (typeof reach)[number] {
	return reach[Math.max(...all.map(({across = 'texts'}) => reach.indexOf(across)))]!;
}

const standard = {row: 'pair', views: 1, passes: 1, tokens: false} as const;
const words = {
	row: 'rows of one kind',
	views: 'as many views of a text',
	passes: 'as many passes, R-Drop over all or none',
	tokens: 'vectors of one kind, of texts or of tokens',
};

/** What every loss says alike, or by itself would. */
function same<K extends keyof typeof standard>(
	where: string,
	losses: readonly Loss[],
	key: K,
): LossNeeds[K] | undefined {
	const said = losses.map(({needs}) => needs?.[key] ?? standard[key]);
	const other = said.findIndex(value => value !== said[0]);
	if (other < 0) return losses[0]?.needs?.[key];
	const [first, second] = [losses[0]!, losses[other]!].map(nameOf);
	const got = `${said[0]} of ${first} and ${said[other]} of ${second}`;
	return refuse(where, `losses of ${words[key]}`, got);
}

type Numbers = NumbersNeeded & {of?: 'row' | 'candidates'; optional?: string};

function united<K extends 'label' | 'scores'>(
	where: string,
	losses: readonly Loss[],
	key: K,
): LossNeeds[K] | undefined {
	const given = losses.filter(({needs}) => needs?.[key]);
	if (given.length === 0) return undefined;
	const all = given.map(({needs}) => needs![key] as Numbers);
	const [first] = all;
	const other = all.find(({of}) => of !== first!.of);
	if (other)
		refuse(where, 'losses that need scores of the same', `of a ${first!.of} and of ${other.of}`);
	const from = Math.max(...all.map(({from: least = Number.NEGATIVE_INFINITY}) => least));
	const to = Math.min(...all.map(({to: most = Number.POSITIVE_INFINITY}) => most));
	const listed = all.flatMap(({among}) => (among ? [among] : []));
	const among = listed[0]?.filter(value => listed.every(list => list.includes(value)));
	const isOptional = all.every(({optional}) => optional !== undefined);
	const strict = all.find(({optional}) => optional !== 'always');
	const optional = isOptional && (strict ?? first!).optional;
	if (from > to || among?.length === 0) {
		refuse(where, `losses that take the same ${key}`, given.map(nameOf).join(' and '));
	}
	const numbers: object = {
		...(Number.isFinite(from) && {from}),
		...(Number.isFinite(to) && {to}),
		...(all.some(({whole}) => whole) && {whole: true}),
		...(among && {among}),
		...(first!.of && {of: first!.of}),
		...(optional && {optional}),
	};
	return numbers as LossNeeds[K];
}

function negativesOf(where: string, losses: readonly Loss[]): LossNeeds['negatives'] {
	const all = losses.flatMap(({needs}) => (needs?.negatives ? [needs.negatives] : []));
	if (!all.includes('none')) return all.includes('one') ? 'one' : all[0];
	const other = all.find(each => each !== 'none');
	if (other) refuse(where, 'losses that can see the same negatives', `none and ${other}`);
	return 'none';
}
