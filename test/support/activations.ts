// The activations and their slopes, exactly in float64 or as float32 rounds them.

import {exact, type Round} from './tolerance.js';

export type Activation = 'none' | 'gelu' | 'tanh' | 'relu' | 'geluTanh' | 'silu' | 'sigmoid';

export const activations: readonly Activation[] = [
	'none',
	'gelu',
	'tanh',
	'relu',
	'geluTanh',
	'silu',
	'sigmoid',
];

export function activate(kind: Activation, x: number, round: Round = exact): number {
	switch (kind) {
		case 'gelu':
			return round(x * cumulative(x, round));
		case 'tanh':
			return round(Math.tanh(x));
		case 'relu':
			return Math.max(x, 0);
		case 'geluTanh':
			return round(round(0.5 * x) * round(1 + tanhInside(x, round)));
		case 'silu':
			return round(x * sigmoid(x, round));
		case 'sigmoid':
			return sigmoid(x, round);
		default:
			return x;
	}
}

/** The derivative at x. */
export function slope(kind: Activation, x: number, round: Round = exact): number {
	switch (kind) {
		case 'gelu': {
			const density = round(round(Math.exp(round(-x * x) / 2)) / Math.sqrt(2 * Math.PI));
			return round(cumulative(x, round) + round(x * density));
		}
		case 'tanh': {
			const y = round(Math.tanh(x));
			return round(1 - round(y * y));
		}
		case 'relu':
			return x > 0 ? 1 : 0;
		case 'geluTanh': {
			const y = tanhInside(x, round);
			const inner = round(rootOfTwoOverPi * round(1 + round(3 * cubic * round(x * x))));
			const bend = round(round(1 - round(y * y)) * inner);
			// Far out 1 - y^2 is zero and x^2 may be infinite.
			return round(round(0.5 * round(1 + y)) + (y * y === 1 ? 0 : round(round(0.5 * x) * bend)));
		}
		case 'silu': {
			const y = sigmoid(x, round);
			return round(y + round(round(x * y) * sigmoid(-x, round)));
		}
		case 'sigmoid':
			return round(sigmoid(x, round) * sigmoid(-x, round));
		default:
			return 1;
	}
}

const rootOfTwoOverPi = Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

function tanhInside(x: number, round: Round): number {
	const cube = round(round(x * x) * x);
	return round(Math.tanh(round(rootOfTwoOverPi * round(x + round(cubic * cube)))));
}

function sigmoid(x: number, round: Round): number {
	return round(1 / round(1 + round(Math.exp(-x))));
}

function cumulative(x: number, round: Round): number {
	const z = round(x * Math.SQRT1_2);
	const erf = round === exact ? erfOf(z) : approximateErf(z, round);
	return round(0.5 + round(0.5 * erf));
}

/** The series without alternating signs, which loses no digits; beyond 6 erf is 1 in float64. */
function erfOf(z: number): number {
	if (Math.abs(z) > 6) return Math.sign(z);
	let term = z;
	let total = z;
	for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n += 1) {
		term *= (2 * z * z) / (2 * n + 1);
		total += term;
	}
	return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * total;
}

/** Abramowitz and Stegun 7.1.26, which the contract names. */
function approximateErf(z: number, round: Round): number {
	const t = round(1 / round(1 + round(0.3275911 * Math.abs(z))));
	let p = 1.061405429;
	for (const next of [-1.453152027, 1.421413741, -0.284496736, 0.254829592]) {
		p = round(round(p * t) + next);
	}
	const tail = round(round(p * t) * round(Math.exp(-round(z * z))));
	return round(Math.sign(z) * (1 - tail));
}
