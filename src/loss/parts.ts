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

/** An option of the loss, or of the first loss that it is made of and that has it. */
export function optionOf({options = {}}: Pick<Loss, 'options'>, name: string): unknown {
	if (options[name] !== undefined || options['of'] === undefined) return options[name];
	const parts = [options['of']].flat() as NonNullable<Loss['options']>[];
	return parts.map(part => optionOf({options: part}, name)).find(value => value !== undefined);
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
