// `inbatch evaluate`: a model on retrieval sets and scored pairs, or a TREC run against judgements.

import {z} from 'zod';
import {EngineError} from '../errors.js';
import {checkSources, type EvaluationReport, evaluateSets, openSets} from '../evaluate/evaluate.js';
import {evaluateSchema} from '../evaluate/options.js';
import type {SetResult} from '../evaluate/outcome.js';
import type {EvaluationSet, SetSource, Task} from '../evaluate/sets.js';
import {evaluateRun} from '../evaluate/trec.js';
import {kebabCase} from '../option-names.js';
import {type Context, defineCommand} from './command.js';
import {resultTable} from './evaluate-table.js';
import {modelOptions, openModel} from './model-options.js';

const paths = z.array(z.string().min(1)).default([]);

const options = z.object({
	retrieval: paths.meta({
		description: 'retrieval sets in the layout of BEIR: DIR or name=DIR',
		placeholder: '[NAME=]DIR',
		variadic: true,
	}),
	sts: paths.meta({
		description: 'scored pairs, JSON Lines, TSV or CSV: FILE or name=FILE',
		placeholder: '[NAME=]FILE',
		variadic: true,
	}),
	trecRun: z.string().min(1).optional().meta({
		description: 'a TREC run to measure in place of a model; with --qrels',
		placeholder: 'RUN',
	}),
	qrels: z.string().min(1).optional().meta({
		description: 'judgements for --trec-run',
		placeholder: 'FILE',
	}),
	compare: z.string().min(1).optional().meta({
		description: 'a second model: both, the difference, its interval and p-value',
		placeholder: 'PATH|ID',
	}),
	...evaluateSchema.shape,
	...modelOptions.shape,
	model: modelOptions.shape.model.optional().meta({
		...modelOptions.shape.model.meta(),
		description:
			"a model folder, an id of the hub, or 'builtin'; needed unless there is --trec-run",
	}),
});

type Options = z.output<typeof options>;

/** What only rankings are measured or made by: scored pairs alone would ignore it. */
const ofRankings = ['split', 'k', 'ties', 'ignoreIdenticalIds', 'queryPrompt', 'documentPrompt'];

/** What only changes the vectors of a model or the sets it is given: a ready run would ignore it. */
const ofModels = [
	...['split', 'queryPrompt', 'documentPrompt', 'dimensions', 'batchTokens', 'revision'],
	...['dtype', 'pooling', 'normalize', 'maxLength', 'truncationSide'],
];

export const evaluate = defineCommand({
	options,
	example: '--model path/to/all-MiniLM-L6-v2 --retrieval scifact --sts sts/dev.jsonl',
	check(settings, {asked}) {
		if (settings.trecRun === undefined) checkForModel(settings, asked);
		else checkForRun(settings, asked);
	},
	async run(settings, context) {
		const {trecRun, qrels, model} = settings;
		const report =
			trecRun !== undefined && qrels !== undefined
				? await evaluateTrecRun(trecRun, qrels, settings, context)
				: await evaluateModel(model ?? '', settings, context);
		for (const result of report.results) context.terminal.note(resultTable(result));
		return report;
	},
});

function checkForModel(settings: Options, asked: readonly string[]): void {
	if (settings.model === undefined) {
		throw new EngineError('OPTION_MISSING', '--model: expected a model folder, got none');
	}
	if (settings.qrels !== undefined) {
		throw new EngineError('OPTION_MISSING', '--trec-run: expected a run beside --qrels, got none');
	}
	checkSources(sourcesOf(settings, []), settings);
	if (settings.retrieval.length > 0) return;
	const unused = asked.find(key => ofRankings.includes(key));
	if (unused === undefined) return;
	const expected = 'expected a retrieval set beside it, got scored pairs only';
	throw new EngineError('OPTION_CONFLICT', `--${kebabCase(unused)}: ${expected}; leave it out`);
}

/** What only a model can do is refused beside a run. */
function checkForRun(settings: Options, asked: readonly string[]): void {
	if (settings.qrels === undefined) {
		throw new EngineError(
			'OPTION_MISSING',
			'--qrels: expected judgements for --trec-run, got none',
		);
	}
	const {model, compare, run, retrieval, sts} = settings;
	const others = {model, compare, run, retrieval: retrieval[0], sts: sts[0]};
	const [given] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
	const other = given ?? asked.find(key => ofModels.includes(key));
	if (other === undefined) return;
	const expected = `expected no --${kebabCase(other)} beside it`;
	const message = `--trec-run: ${expected}, got both; a run needs no model`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/** The sets in the order of the command line, then those of other places. */
function sourcesOf({retrieval, sts}: Options, order: readonly string[]): SetSource[] {
	const left: Record<Task, string[]> = {retrieval: [...retrieval], sts: [...sts]};
	const sources: SetSource[] = [];
	for (const task of [...order, ...retrieval.map(() => 'retrieval'), ...sts.map(() => 'sts')]) {
		if (task !== 'retrieval' && task !== 'sts') continue;
		const source = left[task].shift();
		if (source !== undefined) sources.push({task, source});
	}
	return sources;
}

async function evaluateTrecRun(
	run: string,
	qrels: string,
	{k, ties, ignoreIdenticalIds}: Options,
	{signal}: Context,
): Promise<EvaluationReport> {
	const begun = performance.now();
	const found = await evaluateRun(run, qrels, {k, ties, ignoreIdenticalIds, signal});
	const {metrics, queries, queriesWithoutRelevant, queriesWithoutJudgements} = found;
	const result: SetResult = {
		name: run,
		task: 'retrieval',
		metrics,
		queries,
		documents: null,
		queriesWithoutRelevant,
		queriesWithoutJudgements,
		queriesWithoutRanking: found.queriesWithoutRanking,
		seconds: (performance.now() - begun) / 1000,
	};
	return {model: null, results: [result]};
}

async function evaluateModel(
	source: string,
	settings: Options,
	context: Context,
): Promise<EvaluationReport> {
	const {signal} = context;
	const sets = await openSets(sourcesOf(settings, context.order), settings, signal);
	const model = await openModel({...settings, model: source}, context);
	try {
		if (settings.compare === undefined) {
			return {model: source, results: await withMeter({model}, sets, settings, context)};
		}
		// The revision is of the first; a second has its own behind an @.
		const second = {...settings, model: settings.compare, revision: undefined};
		const compare = await openModel(second, context);
		try {
			return {model: source, results: await withMeter({model, compare}, sets, settings, context)};
		} finally {
			await compare.dispose();
		}
	} finally {
		await model.dispose();
	}
}

async function withMeter(
	models: Parameters<typeof evaluateSets>[0],
	sets: readonly EvaluationSet[],
	settings: Options,
	{terminal, signal, summarize}: Context,
): Promise<SetResult[]> {
	const meter = await terminal.meter({label: 'evaluate', unit: 'texts'});
	try {
		return await evaluateSets(models, sets, settings, {
			signal,
			onProgress({name, done, total}) {
				meter.update({count: done, share: done / total, note: name});
			},
			async onResults(results) {
				const {model = null, compare = ''} = settings;
				for (const result of results) if (result.compare) result.compare.model = compare;
				await summarize({model, results});
			},
		});
	} finally {
		meter.stop();
	}
}
