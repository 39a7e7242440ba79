// The optimizers by name: what a card calls them, and which of the options of moments each reads.

import {EngineError} from '../errors.js';
import type {OptimizerName} from '../native.js';
import {kebabCase} from '../option-names.js';

/** The defaults of what an optimizer may read. */
export const momentDefaults = {beta1: 0.9, beta2: 0.999, epsilon: 1e-8} as const;

type MomentOption = keyof typeof momentDefaults;

const all: readonly MomentOption[] = ['beta1', 'beta2', 'epsilon'];

const known: Record<OptimizerName, {title: string; reads: readonly MomentOption[]}> = {
	adamw: {title: 'AdamW', reads: all},
	adam: {title: 'Adam', reads: all},
	adamw8: {title: 'AdamW with 8-bit moments', reads: all},
	lion: {title: 'Lion', reads: ['beta1', 'beta2']},
	adafactor: {title: 'Adafactor', reads: []},
};

export const optimizers = Object.keys(known) as [OptimizerName, ...OptimizerName[]];

export const titleOf = (optimizer: OptimizerName): string => known[optimizer].title;

type OptimizerSettings = {
	optimizer: OptimizerName;
	clip: number;
	clipValue?: number | undefined;
} & Record<MomentOption, number>;

/** Refuses options that the optimizer does not read, and two kinds of clipping. */
export function expectOptimizer(settings: OptimizerSettings): void {
	const {optimizer, clip, clipValue} = settings;
	const unread = all.filter(name => !known[optimizer].reads.includes(name));
	const given = unread.find(name => settings[name] !== momentDefaults[name]);
	if (given) {
		const readers = optimizers.filter(name => known[name].reads.includes(given)).join(', ');
		throw conflict(given, `expected --optimizer ${readers} beside it, got ${optimizer}`);
	}
	if (clipValue === undefined || clip === 0 || clip === defaultClip) return;
	throw conflict('clipValue', 'expected this or --clip, got both');
}

export const defaultClip = 1;

/** The largest norm of all gradients together: clipping each element takes its place. */
export const normClip = ({clip, clipValue}: OptimizerSettings): number =>
	clipValue === undefined ? clip : 0;

function conflict(option: string, what: string): EngineError {
	return new EngineError('OPTION_CONFLICT', `${kebabCase(option)}: ${what}`);
}
