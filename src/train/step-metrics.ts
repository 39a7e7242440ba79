// What a run says of a step: the numbers of metrics.jsonl.

import type {PartNorms} from './norms.js';
import type {Prepared} from './prepare.js';
import type {StepResult} from './step.js';

export type StepMetrics = Partial<PartNorms> & {
	/** From 1. */
	step: number;
	epoch: number;
	loss: number;
	/** The one used. */
	learningRate: number;
	/** Before clipping. */
	gradientNorm: number;
	temperature: number | null;
	rows: number;
	/** Columns per query. */
	candidates: number | null;
	tokens: number;
	truncatedQueries: number;
	truncatedDocuments: number;
	rowsPerSecond: number;
	tokensPerSecond: number;
	/** Mean over own positives, null where rows are texts alone. */
	positiveCosine: number | null;
	/** Mean over own hard negatives, null without. */
	negativeCosine: number | null;
	/** positiveCosine − negativeCosine, null without hard negatives. */
	cosineGap: number | null;
	/** Mean over the positives of other rows, null where a row may have several positives or none. */
	inBatchCosine: number | null;
	/** Of a query on average, where the loss is of the in-batch family or sees nothing of other rows. */
	negatives?: NegativesPerQuery;
	/** How many pairs each mask removed, where there are masks. */
	masked?: Readonly<Record<string, number>>;
	/** Documents of earlier steps, where there is a queue, and how many steps old they are. */
	queue?: Readonly<Record<string, number>>;
	/** At weights moved against the model, where the step is attacked. */
	adversarialLoss?: number;
	/** The value of each part of a loss that is made of several. */
	losses?: Readonly<Record<string, number>>;
	/** Largest resident size of the process so far. */
	peakMemoryBytes: number;
};

export type NegativesPerQuery = {
	/** Texts of other rows that are no hard negatives. */
	local: number;
	/** Hard negatives, own ones and those of other rows. */
	hard: number;
	/** Documents of earlier steps, where there is a queue. */
	queue?: number;
	/** Taken away by each mask, where there are masks; the others count them still. */
	masked?: Readonly<Record<string, number>>;
};

type Measured = {result: StepResult; seconds: number; rate: number};

export function metricsOf(prepared: Prepared, {result, seconds, rate}: Measured): StepMetrics {
	const {course, batch, passes} = prepared;
	const {step, epoch} = course;
	const rows = course.rows.length;
	const {loss, gradientNorm, temperature, candidates, norms, adversarialLoss} = result;
	const {positiveCosine, negativeCosine, inBatchCosine} = result;
	const isBoth = positiveCosine !== null && negativeCosine !== null;
	return {
		step,
		epoch,
		loss,
		learningRate: rate,
		gradientNorm,
		temperature,
		rows,
		candidates,
		tokens: batch.tokens,
		truncatedQueries: batch.truncatedQueries / passes,
		truncatedDocuments: batch.truncatedDocuments / passes,
		rowsPerSecond: rows / seconds,
		tokensPerSecond: batch.tokens / seconds,
		positiveCosine,
		negativeCosine,
		cosineGap: isBoth ? positiveCosine - negativeCosine : null,
		inBatchCosine,
		...ownNegatives(prepared),
		...groupsOf(rows, result.reports),
		...norms,
		...(adversarialLoss !== undefined && {adversarialLoss}),
		peakMemoryBytes: peakMemory(),
	};
}

export function peakMemory(): number {
	return process.resourceUsage().maxRSS * 1024;
}

type Groups = Pick<StepMetrics, 'negatives' | 'masked' | 'queue' | 'losses'>;

/** What the loss reported in groups; a group that it does not know is not there. */
function groupsOf(rows: number, reports: StepResult['reports']): Groups {
	const [negatives, masked, queue, losses] = ['negatives', 'masked', 'queue', 'losses'].map(group =>
		reportsOf(group, reports),
	);
	const share = masked && Object.entries(masked).map(([rule, pairs]) => [rule, pairs / rows]);
	return {
		...(negatives && {
			negatives: {
				...{local: 0, hard: 0, ...negatives},
				...(share && {masked: Object.fromEntries(share) as Record<string, number>}),
			},
		}),
		...(masked && {masked}),
		...(queue && {queue}),
		...(losses && {losses}),
	};
}

/** Of a loss that sees nothing of other rows: its own negatives are all that a query meets. */
function ownNegatives({batch, loss}: Prepared): Pick<StepMetrics, 'negatives'> {
	const hard = batch.negativeOffsets[batch.rows]! / batch.rows;
	return loss.needs?.across === 'nothing' && hard > 0 ? {negatives: {local: 0, hard}} : {};
}

function reportsOf(
	group: string,
	reports: StepResult['reports'],
): Record<string, number> | undefined {
	const own = Object.entries(reports).filter(([name]) => name.startsWith(`${group}.`));
	if (own.length === 0) return undefined;
	return Object.fromEntries(own.map(([name, n]) => [name.slice(group.length + 1), n]));
}
