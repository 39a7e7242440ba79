// The loss that the command line describes, and how run.json records it: one by its name, several by
// their weights, one for each data set; each at nested widths and under R-Drop if that is asked for.

import {EngineError} from '../errors.js';
import {type LossName, losses} from '../loss/index.js';
import type {Loss} from '../loss/loss.js';
import {lossFor} from '../loss/loss-for.js';
import {matryoshka} from '../loss/matryoshka.js';
import {rDrop} from '../loss/r-drop.js';
import {weightedSum} from '../loss/weighted-sum.js';
import {nearest} from '../option-names.js';
import {type LossSettings, lossSchema} from '../train/options.js';
import {LossOptions, readValue} from './loss-entries.js';

type LossMaker = (options: Readonly<Record<string, unknown>>) => Loss;

/** Options are what was given; the loss itself refuses what it does not know. */
export function lossOf(
	settings: Omit<LossSettings, 'lossFor'> & Partial<LossSettings>,
	data: readonly string[] = [],
): {loss: Loss; record: object} {
	const {
		loss: given,
		lossFor: bySet,
		lossOption,
		rDrop: alpha,
		...options
	} = lossSchema.parse(settings);
	const {dimensionsNested, dimensionsWeights, dimensionsReduce, dimensionsRenormalize, ...rest} =
		options;
	const nested = definedOf({
		weights: dimensionsWeights,
		reduce: dimensionsReduce,
		renormalize: dimensionsRenormalize,
	});
	if (dimensionsNested === undefined) expectNoneNested(nested);
	const sets = setsOf(bySet);
	const needsRest = sets.size === 0 || data.length === 0 || data.some(each => !isOf(sets, each));
	const sum = needsRest ? sumOf(given) : [];
	const names = [...new Set([...sum.map(({name}) => name), ...sets.values()])];
	const shared = definedOf(rest);
	const own = new LossOptions({makers: losses, names, shared, lossOption, sets: [...sets.keys()]});
	const make = (name: LossName, set?: string) => (losses[name] as LossMaker)(own.of(name, set));
	const whole = (loss: Loss) => {
		const wide = dimensionsNested ? matryoshka(loss, {widths: dimensionsNested, ...nested}) : loss;
		return alpha === undefined ? wide : rDrop(wide, {alpha});
	};
	const parts = sum.map(({name, weight}) => ({loss: make(name), weight}));
	const isSum = parts.length > 1 || given.includes('=');
	const base = parts[0] && whole(isSum ? weightedSum(parts) : parts[0].loss);
	const loss = sets.size === 0 ? base! : forSets(sets, (name, set) => whole(make(name, set)), base);
	return {loss, record: {name: loss.name, ...loss.options}};
}

function forSets(
	sets: ReadonlyMap<string, LossName>,
	make: (name: LossName, set: string) => Loss,
	otherwise: Loss | undefined,
): Loss {
	const losses = Object.fromEntries([...sets].map(([set, name]) => [set, make(name, set)]));
	return lossFor(losses, otherwise ? {otherwise} : {});
}

/** `infonce`, or `infonce=1,cosent=0.5`. */
function sumOf(given: string): {name: LossName; weight: number}[] {
	const parts = given.split(',').map(part => {
		const [name = '', weight = '1', ...more] = part.trim().split('=');
		const value = readValue(weight);
		if (typeof value !== 'number' || more.length > 0) {
			const message = `--loss: expected names with weights, as infonce=1,cosent=0.5, got ${given}`;
			throw new EngineError('OPTION_TYPE', message);
		}
		return {name: nameOf(name, '--loss'), weight: value};
	});
	const twice = parts.find(({name}, n) => parts.findIndex(part => part.name === name) !== n);
	if (twice === undefined) return parts;
	const message = `--loss: expected each loss once, got ${twice.name} again`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/** The loss of each data set that has one of its own. */
function setsOf(given: LossSettings['lossFor']): Map<string, LossName> {
	const entries = Array.isArray(given) ? given.map(splitSet) : Object.entries(given);
	const sets = new Map<string, LossName>();
	for (const [set, name] of entries) {
		if (sets.has(set)) {
			const message = `--loss-for: expected one loss for ${set}, got another`;
			throw new EngineError('OPTION_CONFLICT', message);
		}
		sets.set(set, nameOf(name, '--loss-for'));
	}
	return sets;
}

function splitSet(text: string): [string, string] {
	const at = text.lastIndexOf('=');
	if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
	const message = `--loss-for: expected SET=NAME, got ${JSON.stringify(text)}`;
	throw new EngineError('OPTION_TYPE', message);
}

/** Whether data are named as one of these sets. */
function isOf(sets: ReadonlyMap<string, LossName>, data: string): boolean {
	return [...sets.keys()].some(set => data.startsWith(`${set}=`));
}

function expectNoneNested(nested: object): void {
	const [key] = Object.keys(nested);
	if (key === undefined) return;
	const message = `--dimensions-${key}: expected --dimensions-nested beside it, got none`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/** The entries that have a value. */
function definedOf(options: object): Record<string, unknown> {
	return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** Names are told apart by their letters: marginMse and margin-mse are marginmse. */
function nameOf(given: string, where: string): LossName {
	const name = given.toLowerCase().replaceAll(/[-_]/g, '');
	if (isLoss(name)) return name;
	const known = Object.keys(losses);
	const expected = `expected one of ${known.join(', ')}`;
	const message = `${where}: ${expected}, got ${given}; did you mean ${nearest(name, known)}?`;
	throw new EngineError('OPTION_RANGE', message);
}

function isLoss(name: string): name is LossName {
	return Object.hasOwn(losses, name);
}
