// Translates the words of a documented command as `train --preset` does, for the tests of presets.

import {lossOf} from '../../dist/cli/loss-options.js';
import {evaluateLoss} from '../../dist/loss/evaluate.js';
import {loadPreset} from '../../dist/presets/index.js';
import type {OurName, OurValue} from '../../dist/presets/table.js';
import {translate} from '../../dist/presets/translate.js';
import type {Translation} from '../../dist/presets/translation.js';
import {lossSchema} from '../../dist/train/options.js';
import {scheduleOf} from '../../dist/train/schedule.js';

const own = new Map([
	['--threads', {takesValue: true, isVariadic: false}],
	['--eval', {takesValue: true, isVariadic: true}],
	['--json', {takesValue: false, isVariadic: false}],
	['--max-rows', {takesValue: true, isVariadic: false}],
]);

export type Translated = {
	ours: Partial<Record<OurName, OurValue>>;
	own: readonly string[];
	says: string;
};

export function translation(name: string, words: readonly string[]): Promise<Translation> {
	return loadPreset(name).then(preset => translate(preset, words, own));
}

/** The options of ours by name, and all that is said. */
export async function translated(name: string, words: readonly string[]): Promise<Translated> {
	const {options, own: mine, says} = await translation(name, words);
	const ours = Object.fromEntries([...options].map(([key, {value}]) => [key, value]));
	return {ours, own: mine, says: says.join('\n')};
}

/** Golden vectors: two queries, their positives and a negative of each. */
const golden = {
	query: [1, 2, 0, 1, 0, 1, 2, -1],
	positive: [1, 1, 0, 1, 0, 1, 1, 0],
	negative: [1, -1, 1, 0, 1, 1, 1, 1],
};

/** The value of the translated loss on the golden vectors. */
export async function lossOn(
	{ours}: Translated,
	names: readonly (keyof typeof golden)[] = ['query', 'positive', 'negative'],
): Promise<number> {
	const known = Object.keys(lossSchema.shape);
	const settings = Object.fromEntries(Object.entries(ours).filter(([key]) => known.includes(key)));
	const {loss} = lossOf(lossSchema.parse(settings));
	const columns = names.map(name => ({data: Float32Array.from(golden[name]), rows: 2, width: 4}));
	return (await evaluateLoss(loss, {columns})).value;
}

/** The rate of the translated schedule at an update, counted from 0. */
export function rateAt({ours}: Translated, update: number, steps = 0): number {
	const {learningRate = 0} = ours as {learningRate?: number};
	const settings = {...ours, steps: (ours.scheduleSteps as number | undefined) ?? steps, width: 4};
	return learningRate * scheduleOf(settings as Parameters<typeof scheduleOf>[0])(update);
}

/** The options of a preset that are dead, and those that are not. */
export async function optionsOf(name: string): Promise<{dead: string[]; live: string[]}> {
	const {options} = await loadPreset(name);
	const entries = Object.entries(options);
	return {
		dead: entries.filter(([, option]) => option.dead !== undefined).map(([key]) => key),
		live: entries.filter(([, option]) => option.dead === undefined).map(([key]) => key),
	};
}
