// What is trained of a model, and how: frozen parts, rates of their own, means of weights, attacks.

import type {EmbeddingModel} from '../model/embedding-model.js';
import type {TrainingMemory, TrainingSettings} from '../native.js';
import {type Attack, attackOf} from './adversarial.js';
import {averageShares, averageWarning, WeightAverages} from './averages.js';
import {frozenParameters} from './freeze.js';
import type {TrainSettings} from './options.js';
import {rateFactors} from './rates.js';

export type Trained = {
	/** Of the rate of each parameter, where they differ. */
	rateFactors: readonly number[] | undefined;
	averages: WeightAverages;
	attack: Attack | undefined;
};

/** Makes the parameters ready for a run of so many steps. */
export async function prepareParameters(
	model: EmbeddingModel,
	settings: TrainSettings,
	{steps, onMessage}: {steps: number; onMessage?: ((message: string) => void) | undefined},
): Promise<Trained> {
	const names = model.core.parameters().map(({name}) => name);
	const frozen = frozenParameters(settings.freeze, names);
	const attack = attackOf(settings, frozen);
	const factors = rateFactors(settings, names);
	const shares = averageShares(settings, steps);
	const warning = averageWarning(settings, steps);
	if (warning !== undefined) onMessage?.(warning);
	await model.core.prepareTraining(frozen, keptFor(model, settings, steps));
	return {rateFactors: factors, averages: new WeightAverages(model, shares), attack};
}

/** What is kept of each parameter. */
function keptFor(model: EmbeddingModel, settings: TrainSettings, steps: number): TrainingSettings {
	return {
		optimizer: settings.optimizer,
		average: averageShares(settings, steps) !== undefined,
		stacked: stackedIn(model),
	};
}

/** What the parameters will take in training, in bytes; of attacks the copies that are put back. */
export function parameterMemory(
	model: EmbeddingModel,
	settings: TrainSettings,
	steps: number,
): TrainingMemory {
	const names = model.core.parameters().map(({name}) => name);
	const frozen = frozenParameters(settings.freeze, names);
	const memory = model.core.trainingMemory(frozen, keptFor(model, settings, steps));
	const attack = attackOf(settings, frozen);
	const copies = attack ? (attack.moves > 1 ? 2 : 1) : 0;
	return {...memory, state: memory.state + copies * memory.gradients};
}

/** The parameters that hold several tensors of the model's files, as query, key and value. */
function stackedIn({stored}: EmbeddingModel): {name: string; parts: number[]}[] {
	const places = new Map<string, Map<number, number>>();
	for (const {parameter, at, count} of stored.flatMap(({mapped}) => mapped)) {
		places.set(parameter, (places.get(parameter) ?? new Map<number, number>()).set(at, count));
	}
	return [...places]
		.filter(([, parts]) => parts.size > 1)
		.map(([name, parts]) => ({
			name,
			parts: [...parts].toSorted(([a], [b]) => a - b).map(([, count]) => count),
		}));
}
