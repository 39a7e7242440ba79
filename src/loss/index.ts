// The losses by name: what the command line calls each is its function's name in small letters. A new
// one is a file and a line here; the gradient grid tests it unasked.

import {bpr} from './bpr.js';
import {contrastive} from './contrastive.js';
import {hinge} from './hinge.js';
import {infoNce} from './infonce.js';
import {logistic} from './logistic.js';
import {marginRanking} from './margin-ranking.js';
import {triplet} from './triplet.js';

export const losses = {
	infonce: infoNce,
	triplet,
	hinge,
	logistic,
	contrastive,
	marginranking: marginRanking,
	bpr,
} as const;

export type LossName = keyof typeof losses;
