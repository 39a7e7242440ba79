// The losses by name: what the command line calls each is its function's name in small letters. A new
// one is a file and a line here; the gradient grid tests it unasked.

import {angle} from './angle.js';
import {arcFace} from './arc-face.js';
import {bce} from './bce.js';
import {bpr} from './bpr.js';
import {circle} from './circle.js';
import {contrastive} from './contrastive.js';
import {cosent} from './cosent.js';
import {cosineRegression} from './cosine-regression.js';
import {distill} from './distill.js';
import {distillVectors} from './distill-vectors.js';
import {hinge} from './hinge.js';
import {infoNce} from './infonce.js';
import {klOnScores} from './kl-on-scores.js';
import {lateInteraction} from './late-interaction.js';
import {logistic} from './logistic.js';
import {marginMse} from './margin-mse.js';
import {marginRanking} from './margin-ranking.js';
import {mse} from './mse.js';
import {ntXent} from './nt-xent.js';
import {pearson} from './pearson.js';
import {simCse} from './simcse.js';
import {softmax} from './softmax.js';
import {triplet} from './triplet.js';

export const losses = {
	infonce: infoNce,
	simcse: simCse,
	ntxent: ntXent,
	triplet,
	hinge,
	logistic,
	contrastive,
	marginranking: marginRanking,
	bpr,
	cosent,
	angle,
	cosineregression: cosineRegression,
	mse,
	pearson,
	bce,
	circle,
	marginmse: marginMse,
	klonscores: klOnScores,
	distill,
	distillvectors: distillVectors,
	arcface: arcFace,
	softmax,
	lateinteraction: lateInteraction,
} as const;

export type LossName = keyof typeof losses;
