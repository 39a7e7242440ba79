// The loss that the command line names, with its options, and how run.json records it.

import {EngineError} from '../errors.js';
import {type LossName, losses} from '../loss/index.js';
import type {Loss} from '../loss/loss.js';
import {matryoshka} from '../loss/matryoshka.js';
import {nearest} from '../options.js';
import {type LossSettings, lossSchema} from '../train/options.js';

type LossMaker = (options: Readonly<Record<string, unknown>>) => Loss;

/** Options are what was given; the loss itself refuses what it does not know. */
export function lossOf(settings: LossSettings): {loss: Loss; record: object} {
	const {loss: given, lossOption, ...options} = lossSchema.parse(settings);
	const {dimensionsNested, dimensionsWeights, dimensionsReduce, dimensionsRenormalize, ...rest} =
		options;
	const name = nameOf(given);
	const make = losses[name] as LossMaker;
	const loss = make({...definedOf(rest), ...Object.fromEntries(lossOption.map(lossEntry))});
	const nested = definedOf({
		weights: dimensionsWeights,
		reduce: dimensionsReduce,
		renormalize: dimensionsRenormalize,
	});
	if (dimensionsNested === undefined) {
		expectNoneNested(nested);
		return {loss, record: {name, ...loss.options}};
	}
	const whole = matryoshka(loss, {widths: dimensionsNested, ...nested});
	return {loss: whole, record: {name: whole.name, ...whole.options}};
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
function nameOf(given: string): LossName {
	const name = given.toLowerCase().replaceAll(/[-_]/g, '');
	if (isLoss(name)) return name;
	const known = Object.keys(losses);
	const expected = `expected one of ${known.join(', ')}`;
	const message = `--loss: ${expected}, got ${given}; did you mean ${nearest(name, known)}?`;
	throw new EngineError('OPTION_RANGE', message);
}

function isLoss(name: string): name is LossName {
	return Object.hasOwn(losses, name);
}

/** `key=value`: a number, true or false, a list at commas, otherwise a word. */
function lossEntry(text: string): [string, unknown] {
	const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
	if (key === undefined || value === undefined) {
		const message = `--loss-option: expected key=value, got ${JSON.stringify(text)}`;
		throw new EngineError('OPTION_TYPE', message);
	}
	const isList = value.includes(',');
	return [camelCase(key), isList ? value.split(',').map(readValue) : readValue(value)];
}

function readValue(text: string): string | number | boolean {
	if (text === 'true' || text === 'false') return text === 'true';
	return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** `student-temperature` is studentTemperature, as everywhere on the command line. */
function camelCase(key: string): string {
	return key.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
