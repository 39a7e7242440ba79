// The parts of a loss that is made of others: their names, and what each learns under its own name.

import {EngineError, kindOf} from '../errors.js';
import type {Loss, LossInputs, LossParameter} from './loss.js';

export type Part = {name: string; loss: Loss};

/** What all parts learn, by the names of the parts. */
export function parametersOf(parts: readonly Part[]): LossParameter[] {
	return parts.flatMap(({name, loss: {parameters = []}}) =>
		parameters.map(each => ({...each, name: `${name}.${each.name}`})),
	);
}

/** What a part sees of what the whole sees: its own parameters by their own names. */
export function inputsOf({name, loss}: Part, {parameters, ...inputs}: LossInputs): LossInputs {
	const own = (loss.parameters ?? []).map(
		each => [each.name, parameters[`${name}.${each.name}`]!] as const,
	);
	return {...inputs, parameters: Object.fromEntries(own)};
}

/** How a part is recorded. */
export function recordOf(name: string, loss: Loss): Record<string, unknown> {
	return {name, ...loss.options};
}

type Made = NonNullable<Loss['options']>;

/** What the losses that a loss is made of were made with: of one, of several, or of one for each data set. */
function partsIn({of}: Made): readonly Made[] {
	if (typeof of !== 'object' || of === null) return [];
	if (Array.isArray(of)) return of as Made[];
	return 'name' in of && typeof of.name === 'string' ? [of as Made] : (Object.values(of) as Made[]);
}

/** An option of the loss, or of the first loss that it is made of and that has it. */
export function optionOf({options = {}}: Pick<Loss, 'options'>, name: string): unknown {
	if (options[name] !== undefined) return options[name];
	const all = partsIn(options).map(part => optionOf({options: part}, name));
	return all.find(value => value !== undefined);
}

/** The masks of the loss and of all that it is made of. */
export function masksOf({options = {}}: Pick<Loss, 'options'>): readonly unknown[] {
	const {mask} = options;
	const own = Array.isArray(mask) ? mask : [];
	return [...own, ...partsIn(options).flatMap(part => masksOf({options: part}))];
}

export function nameOf({name}: Loss): string {
	return name || 'custom';
}

export function expectLoss(where: string, loss: unknown): asserts loss is Loss {
	if (typeof loss === 'function') return;
	const message = `${where}: expected a loss that it is made of, got ${kindOf(loss)}`;
	throw new EngineError('LOSS_INVALID', message);
}

export function refuse(where: string, expected: string, got: string): never {
	throw new EngineError('OPTION_CONFLICT', `${where}: expected ${expected}, got ${got}`);
}
