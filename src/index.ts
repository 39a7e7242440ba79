// The public face of the package. Importing it loads no native code: that happens when a model is
// loaded or a loss evaluated. Training, evaluation and checks are modules of some hundred files that a
// program which encodes never needs: they are loaded by their first call.

export type {CheckOptions} from './check/check.js';
export type {Example, Finding, FindingKind, Severity} from './check/findings.js';
export type {CheckReport} from './check/report.js';
export {type DeviceInfo, type DeviceOptions, devices} from './device.js';
export {EngineError, type ErrorCode, errorCodes} from './errors.js';
export type {EvaluateOptions, EvaluationReport} from './evaluate/evaluate.js';
export type {Metrics, Ties} from './evaluate/metrics.js';
export type {ModelComparison, SetResult} from './evaluate/outcome.js';
export type {EvaluationProgress} from './evaluate/retrieval.js';
export {type AngleOptions, angle} from './loss/angle.js';
export {type ArcFaceOptions, arcFace} from './loss/arc-face.js';
export {type BceOptions, bce} from './loss/bce.js';
export {type BprOptions, bpr} from './loss/bpr.js';
export {type CircleOptions, circle} from './loss/circle.js';
export {type ContrastiveOptions, contrastive} from './loss/contrastive.js';
export {type CosentOptions, cosent} from './loss/cosent.js';
export {type CosineRegressionOptions, cosineRegression} from './loss/cosine-regression.js';
export {type DistillOptions, distill} from './loss/distill.js';
export {type DistillVectorsOptions, distillVectors} from './loss/distill-vectors.js';
export {
	type EvaluateLossOptions,
	evaluateLoss,
	type LossEvaluation,
	type PlainColumn,
	type PlainInputs,
} from './loss/evaluate.js';
export {type HingeOptions, hinge} from './loss/hinge.js';
export {type InfoNceOptions, infoNce} from './loss/infonce.js';
export {type KlOnScoresOptions, klOnScores} from './loss/kl-on-scores.js';
export {type LateInteractionOptions, lateInteraction} from './loss/late-interaction.js';
export {type LogisticOptions, logistic} from './loss/logistic.js';
export {
	type Column,
	expectColumns,
	type Loss,
	type LossInputs,
	type LossNeeds,
	type LossParameter,
	type NumbersNeeded,
} from './loss/loss.js';
export {type LossForOptions, lossFor} from './loss/loss-for.js';
export {type MarginMseOptions, marginMse} from './loss/margin-mse.js';
export {type MarginRankingOptions, marginRanking} from './loss/margin-ranking.js';
export {type MatryoshkaOptions, matryoshka} from './loss/matryoshka.js';
export {type MseOptions, mse} from './loss/mse.js';
export {type NtXentOptions, ntXent} from './loss/nt-xent.js';
export {type PearsonOptions, pearson} from './loss/pearson.js';
export {type RDropOptions, rDrop} from './loss/r-drop.js';
export {type SimCseOptions, simCse} from './loss/simcse.js';
export {type SoftmaxOptions, softmax} from './loss/softmax.js';
export {type TripletOptions, triplet} from './loss/triplet.js';
export {type WeightedLoss, weightedSum} from './loss/weighted-sum.js';
export {
	EmbeddingModel,
	type EncodeOptions,
	type IdentifiedText,
	type LoadOptions,
	type StreamBatch,
} from './model/embedding-model.js';
export type {Encoded, Progress} from './model/encode.js';
export type {TruncationSide} from './model/folder.js';
export {type MaxSimSettings, maxSim, type TokenRows} from './model/max-sim.js';
export type {MixOptions, MixReport} from './model/mix.js';
export type {Route} from './model/router.js';
export {type Rows, similarity} from './model/similarity.js';
export type {Pooling} from './model/spec.js';
export type {TokenVectors} from './model/token-vectors.js';
export type {Evaluator} from './train/evaluations.js';
export type {EvaluationMetrics, StepMetrics} from './train/metrics-log.js';
export type {TrainingPlan} from './train/plan.js';
export {startTraining, type TrainEvent, type TrainingRun} from './train/start.js';
export type {NegativesPerQuery} from './train/step-metrics.js';
export type {TrainOptions} from './train/train.js';
export type {Saved, TrainResult} from './train/trainer.js';

/**
Fine-tunes the model in place.

@example
const run = await train(model, {data: 'pairs.jsonl', loss: infoNce({temperature: 0.05}), output: 'out'});
*/
export const train: typeof import('./train/train.js').train = async (...given) =>
	(await import('./train/train.js')).train(...given);

/**
Plans a run of these options. The model's weights stay as they are.

@example
const {memory, seconds, fits} = await planTraining(model, {data: 'pairs.jsonl', batchSize: 512});
*/
export const planTraining: typeof import('./train/plan.js').planTraining = async (...given) =>
	(await import('./train/plan.js')).planTraining(...given);

/**
Metrics of a model on retrieval sets and scored pairs, one result per set.

@example
const {results} = await evaluate(model, {retrieval: 'scifact', sts: 'sts/dev.jsonl'});
results[0]?.metrics['ndcg@10'];
*/
export const evaluate: typeof import('./evaluate/evaluate.js').evaluate = async (...given) =>
	(await import('./evaluate/evaluate.js')).evaluate(...given);

/**
Examines training data: broken lines, empty, repeated and garbage texts, positives among negatives,
lengths, labels and scores, leakage into evaluation sets. What is wrong stands in `findings`.

@example
const report = await checkData('pairs.jsonl', {eval: 'scifact'});
for (const {kind, count} of report.findings) console.log(kind, count);
*/
export const checkData: typeof import('./check/check.js').checkData = async (...given) =>
	(await import('./check/check.js')).checkData(...given);

/**
Writes the mean of models, which may be folders, checkpoints of a run, ids of the hub or `builtin`.

@example
await mixModels(['tuned', 'BAAI/bge-base-en-v1.5'], {weights: [0.7, 0.3], output: 'mixed'});
*/
export const mixModels: typeof import('./model/mix.js').mixModels = async (...given) =>
	(await import('./model/mix.js')).mixModels(...given);
