// How LLM-Embedder evaluates in training: queries of a file on a corpus, by the places of their documents
// in it or by answers, whenever a checkpoint is due.

import {resolved} from './llm-embedder-sets.js';
import {
	asking,
	dead,
	deadOptions,
	maps,
	type Option,
	type Ours,
	read,
	type Table,
} from './table.js';
import type {Values} from './values.js';

/** What the evaluation is called: its metrics are `eval/ndcg@10` and so on. */
const name = 'eval';

const cutoffs = [1, 3, 5, 10, 100];
const known = ['mrr', 'recall', 'ndcg', 'nq'];
const template = '{title} {text}';

export const llmEmbedderEvaluation: Table = {
	eval_data: maps('text', evaluated),
	corpus: {
		kind: 'text',
		to: values => (isEvaluated(values) ? {evalCorpus: pathOf(values, 'corpus')} : {}),
		refused(values) {
			const isMissing = isEvaluated(values) && values.text('corpus') === undefined;
			return isMissing ? 'eval_data is searched for in it; give both' : undefined;
		},
	},
	key_template: maps('text', columns, {default: template}),
	metrics: {kind: 'list', default: ['mrr', 'recall', 'ndcg'], to: metrics, refused: unknownMetric},
	cutoffs: maps('list', cutAt, {default: [1, 5, 10, 100]}),
	eval_strategy: {
		kind: 'text',
		default: 'steps',
		aliases: ['evaluation_strategy'],
		refused(values) {
			const strategy = values.text('eval_strategy') ?? 'steps';
			return ['no', 'steps'].includes(strategy) ? undefined : 'the strategies are no and steps';
		},
	},
	eval_steps: read('number'),
	eval_method: {
		kind: 'text',
		default: 'retrieval',
		refused(values) {
			const isSearch = !isEvaluated(values) || values.text('eval_method') === 'retrieval';
			return isSearch ? undefined : 'candidates that records bring are not ranked in training';
		},
	},
	load_best_model_at_end: asking({saveBest: true}),
	metric_for_best_model: maps('text', values => {
		const metric = values.text('metric_for_best_model')?.replace(/^eval_/, '');
		return metric === undefined ? {} : {metric: `${name}/${metric}`};
	}),
	greater_is_better: greaterIsBetter(),
	...deadOptions('eval_data says whether there is an evaluation', 'boolean', {do_eval: false}),
	...deadOptions('an evaluation stands before every training', 'boolean', {eval_on_start: false}),
	log_path: dead('text', 'metrics.jsonl has what evaluations find, run.json the options', {
		default: 'data/results/performance.log',
	}),
};

function greaterIsBetter(): Option {
	return maps('boolean', values => {
		const isGreater = values.own();
		return typeof isGreater === 'boolean' ? {greaterIsBetter: isGreater} : {};
	});
}

function isEvaluated(values: Values): boolean {
	return values.text('eval_data') !== undefined && values.text('eval_strategy') !== 'no';
}

function pathOf(values: Values, option: string): string | undefined {
	const path = values.text(option);
	return path === undefined ? undefined : resolved(path, values);
}

/** At each checkpoint, unless there are steps of its own. */
function evaluated(values: Values): Ours {
	if (!isEvaluated(values)) return {};
	const steps = values.number('eval_steps') ?? values.number('save_steps')!;
	const source = {eval: [`${name}=${pathOf(values, 'eval_data')}`]};
	return Number.isInteger(steps) && steps > 0 ? {...source, evalSteps: steps} : source;
}

/** A document without a title is not refused where the template is the usual one. */
function columns(values: Values): Ours {
	const asked = values.text('key_template');
	return isEvaluated(values) && asked !== template ? {evalTemplate: asked} : {};
}

/** All metrics are computed. */
function metrics(values: Values, say: (text: string) => void): Ours {
	if (!isEvaluated(values) || !values.isGiven('metrics')) return {};
	const all = 'mrr, recall, ndcg and others by pos_index, answers@k (nq) where there are answers';
	say(`${values.place('metrics')}: an evaluation has ${all}`);
	return {};
}

/** At cut-offs of ours. */
function cutAt(values: Values, say: (text: string) => void): Ours {
	if (!isEvaluated(values) || !values.isGiven('cutoffs')) return {};
	const others = values.list('cutoffs').filter(cutoff => !cutoffs.includes(Number(cutoff)));
	const lacking = others.length > 0 ? `, not ${others.join(', ')}` : '';
	say(`${values.place('cutoffs')}: metrics are those at ${cutoffs.join(', ')}${lacking}`);
	return {};
}

function unknownMetric(values: Values): string | undefined {
	const others = values.list('metrics').filter(metric => !known.includes(metric));
	if (others.length === 0) return undefined;
	return `the metrics of a training are ${known.join(', ')}; \`inbatch mine\` finds negatives`;
}
