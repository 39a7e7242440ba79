// The losses by name. A new one is a file and a line here; the gradient grid tests it unasked.

import {infoNce} from './infonce.js';

export const losses = {
	infonce: infoNce,
} as const;

export type LossName = keyof typeof losses;
