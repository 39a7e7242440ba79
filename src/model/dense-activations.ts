// The activations of a Dense as options and files name them.

import type {Activation} from './spec.js';

/** Activations of a Dense, by the last word of torch's names for them. */
export const denseActivations = {
	identity: 'none',
	tanh: 'tanh',
	relu: 'relu',
	gelu: 'gelu',
	sigmoid: 'sigmoid',
	silu: 'silu',
} as const satisfies Record<string, Activation>;
