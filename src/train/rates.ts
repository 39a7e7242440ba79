// What the learning rate of each parameter is multiplied by: a decay from block to block, and rates
// that are given for some.

import {EngineError} from '../errors.js';
import {blockOf, isPart, placeInTower} from './freeze.js';
import type {TrainSettings} from './options.js';

type RateSettings = Pick<TrainSettings, 'learningRate' | 'layerDecay' | 'learningRateFor'>;

/**
A factor for each parameter by its number; undefined where all are 1. The last block and what follows it
have 1, each block before it the decay of the next, embeddings that of the first block once more. A
rate that is given for a parameter is its own: it does not decay; the last one given counts.
*/
export function rateFactors(
	{learningRate, layerDecay, learningRateFor}: RateSettings,
	names: readonly string[],
): readonly number[] | undefined {
	const rates = ratesOf(ratesGiven(learningRateFor) ?? {}, names);
	if (layerDecay === 1 && rates.length === 0) return undefined;
	return names.map(name => {
		const own = rates.findLast(({matches}) => matches(name));
		return own ? own.rate / learningRate : layerDecay ** depthOf(name, blocksBeside(name, names));
	});
}

/** How many blocks the tower of a parameter has. */
function blocksBeside(name: string, names: readonly string[]): number {
	const {tower} = placeInTower(name);
	const beside = names.filter(other => placeInTower(other).tower === tower);
	return 1 + beside.reduce((last, other) => Math.max(last, blockOf(other) ?? -1), -1);
}

/** How many blocks lie between a parameter and the last block, itself counted. */
function depthOf(name: string, blocks: number): number {
	const block = blockOf(name);
	if (block !== undefined) return blocks - 1 - block;
	return isPart('embeddings')(name) || isPart('positions')(name) ? blocks : 0;
}

type Rate = {matches: (name: string) => boolean; rate: number};

function ratesOf(given: Readonly<Record<string, number>>, names: readonly string[]): Rate[] {
	return Object.entries(given).map(([pattern, rate]) => {
		const matches = matcherOf(pattern);
		if (names.some(matches)) return {matches, rate};
		const some = [names[0], names[Math.floor(names.length / 2)], names.at(-1)].join(', ');
		throw new EngineError(
			'OPTION_RANGE',
			`learning-rate-for: expected a part of the model or a pattern of its parameters (${some}), got ${pattern}`,
		);
	});
}

const partPattern =
	/^(query|document|((query|document)\.)?(embeddings|positions|layers|head|blocks(:\d+(-\d+)?)?))$/;

/** A part as --freeze names it, or a name in which * stands for anything. */
function matcherOf(pattern: string): (name: string) => boolean {
	if (partPattern.test(pattern)) return isPart(pattern);
	const literal = pattern.split('*').map(part => part.replaceAll(/[\\^$.+?()[\]{}|]/g, '\\$&'));
	const expression = new RegExp(`^${literal.join('.*')}$`);
	return name => expression.test(name);
}

/** `PATTERN=RATE` of the command line as an entry each. */
export function ratesGiven(
	given: readonly string[] | Readonly<Record<string, number>> | undefined,
): Record<string, number> | undefined {
	if (given === undefined || !isTexts(given)) return given;
	return Object.fromEntries(
		given.map(text => {
			const [, pattern, rate] = /^(.+)=([^=]+)$/s.exec(text) ?? [];
			if (pattern !== undefined && rate?.trim() && Number(rate) >= 0) {
				return [pattern, Number(rate)] as const;
			}
			throw new EngineError(
				'OPTION_TYPE',
				`learning-rate-for: expected PATTERN=RATE with a rate of at least 0, got ${JSON.stringify(text)}`,
			);
		}),
	);
}

function isTexts(given: object): given is readonly string[] {
	return Array.isArray(given);
}
