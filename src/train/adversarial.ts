// Adversarial training: the gradient of a step is that of the batch at its weights plus that at weights
// moved to where the loss is greater. What is moved is put back to the bit before the update.
//
// - fgm (Miyato and others 2017, over the table of tokens as its users have it): r = ε g / |g|, once.
// - pgd (Madry and others 2018, likewise): K moves of rate α g / |g|, each brought back within ε of where
//   the table was; the gradients on the way only say where to go, the last is added to the clean one.
// - awp (Wu and others 2020): each matrix by rate |w| g / |g|, no element further than ε |w|; biases and
//   norms stay. As in the paper the perturbation is relative to the norm of its matrix.
//
// The passes drop out the same elements as the first, so that it is the same function that is moved.

import {EngineError} from '../errors.js';
import type {NativeModel, PerturbSettings} from '../native.js';
import {kebabCase} from '../option-names.js';

/** The defaults of what each reads beside the step that it begins with. */
const known = {
	fgm: {epsilon: 1, rate: undefined, steps: undefined},
	pgd: {epsilon: 1, rate: 0.3, steps: 3},
	awp: {epsilon: 0.2, rate: 0.01, steps: undefined},
} as const;

type AttackName = keyof typeof known;

export const attacks = Object.keys(known) as [AttackName, ...AttackName[]];

export type AdversarialSettings = {
	adversarial?: AttackName | undefined;
	adversarialEpsilon?: number | undefined;
	adversarialRate?: number | undefined;
	adversarialSteps?: number | undefined;
	adversarialStart?: number | undefined;
};

export type Attack = {
	/** The first step that is attacked, from 1. */
	start: number;
	/** Moves, with a pass after each. */
	moves: number;
	move: PerturbSettings;
};

/** Refuses options that the attack does not read. */
export function expectAdversarial(settings: AdversarialSettings): void {
	const {adversarial: name} = settings;
	const readers = {
		adversarialEpsilon: attacks,
		adversarialRate: attacks.filter(each => known[each].rate !== undefined),
		adversarialSteps: attacks.filter(each => known[each].steps !== undefined),
		adversarialStart: attacks,
	};
	for (const [option, reading] of Object.entries(readers)) {
		if (settings[option as keyof typeof readers] === undefined) continue;
		if (name && reading.includes(name)) continue;
		const expected = `expected --adversarial ${reading.join(' or ')} beside it`;
		throw new EngineError(
			'OPTION_CONFLICT',
			`${kebabCase(option)}: ${expected}, got ${name ?? 'none'}`,
		);
	}
}

/** What the settings ask for, of a model in which these parameters are frozen. */
export function attackOf(
	settings: AdversarialSettings,
	frozen: readonly string[],
): Attack | undefined {
	const {adversarial: name, adversarialStart: start = 1} = settings;
	if (!name) return undefined;
	if (name !== 'awp' && frozen.includes('embedding.tokens')) {
		const message = `adversarial: expected a table of tokens that is trained for ${name}, got a frozen one`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	const {epsilon, rate, steps} = known[name];
	const most = settings.adversarialEpsilon ?? epsilon;
	const length = settings.adversarialRate ?? rate ?? most;
	const moves = settings.adversarialSteps ?? steps ?? 1;
	if (name === 'awp') return {start, moves, move: {matrices: true, rate: length, bound: most}};
	return {start, moves, move: {rate: length, ...(name === 'pgd' && {radius: most})}};
}

/**
Adds the gradient at moved weights to the one that is there. `pass` adds the gradient at the weights as they
are; of its results the last one is returned.
*/
export async function underAttack<T>(
	core: NativeModel,
	{moves, move}: Attack,
	pass: (isLast: boolean) => Promise<T>,
): Promise<T> {
	if (moves > 1) core.holdGradients();
	try {
		for (let done = 1; done < moves; done++) {
			core.perturb(move);
			core.zeroGradients();
			await pass(false);
		}
		core.perturb(move);
		if (moves > 1) core.returnGradients();
		return await pass(true);
	} finally {
		core.undoPerturb();
	}
}
