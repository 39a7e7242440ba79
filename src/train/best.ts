// The best checkpoints of a run: which they are, and what an option that asks for them needs.

import {EngineError} from '../errors.js';
import {type Deciding, type EvaluationSource, isBetter} from './evaluations.js';
import type {TrainSettings} from './options.js';

/** An evaluated step and what the deciding metric was there. */
export type Ranked = {step: number; value: number};

/** The best of them, the best first; of equal ones the earlier is better. */
export function withRanked(
	known: readonly Ranked[],
	next: Ranked,
	{most, deciding}: {most: number; deciding: Deciding},
): Ranked[] {
	const worse = known.findIndex(({value}) => isBetter(next.value, value, deciding));
	const at = worse < 0 ? known.length : worse;
	return [...known.slice(0, at), next, ...known.slice(at)].slice(0, most);
}

type Asked = {
	sources: readonly EvaluationSource[];
	deciding: Deciding | undefined;
	hasOutput: boolean;
};

/** Refuses options about the best where nothing says what is best, or nothing can be kept. */
export function expectBest(
	{saveBest, keepBest, evalSteps, patienceSignificant}: TrainSettings,
	{sources, deciding, hasOutput}: Asked,
): void {
	const asking = saveBest ? 'save-best' : keepBest && 'keep-best';
	if (asking && !(deciding && hasOutput)) {
		const missing = deciding ? '--output to keep the best in' : '--eval to say what is best';
		throw new EngineError('OPTION_CONFLICT', `${asking}: expected ${missing}, got none`);
	}
	if (keepBest && evalSteps === undefined) {
		throw new EngineError(
			'OPTION_CONFLICT',
			'keep-best: expected --eval-steps beside it, got none',
		);
	}
	const source = sources.find(({name}) => name === deciding?.name);
	if (patienceSignificant && source?.kind === 'custom') {
		const expected = 'expected a metric of queries or pairs, which can be compared one by one';
		const message = `patience-significant: ${expected}, got ${source.name}`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
}
