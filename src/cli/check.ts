// `inbatch check`: the data doctor. Prints what it finds and fails where training would, or where
// its results would prove nothing.

import {z} from 'zod';
import {type CheckOptions, checkData} from '../check/check.js';
import {checkSchema} from '../check/options.js';
import type {CheckReport} from '../check/report.js';
import {mapOf, namesGiven} from '../data/fields.js';
import {EngineError} from '../errors.js';
import {kebabCase} from '../option-names.js';
import {expectChoices} from '../train/options/data.js';
import {expectPrompts} from '../train/options/prompts.js';
import {lossSchema} from '../train/options.js';
import {checkTable} from './check-table.js';
import {type Context, defineCommand} from './command.js';
import {lossOf} from './loss-options.js';
import {modelOptions, openModel} from './model-options.js';

const {seed: _, model, ...ofModel} = modelOptions.shape;

const options = z.object({
	data: z.array(z.string().min(1)).min(1).meta({
		description: 'files or folders of training data in any layout; name=FILE names a set',
		expected: 'files or folders of training data',
		placeholder: '[NAME=]FILE',
		variadic: true,
	}),
	eval: z.array(z.string().min(1)).default([]).meta({
		description: 'evaluation sets that the data must not hold: folders, files of pairs',
		placeholder: '[NAME=]DIR|FILE',
		variadic: true,
	}),
	...checkSchema.shape,
	loss: lossSchema.shape.loss.unwrap().optional().describe('the loss to be trained: what it needs'),
	lossOption: lossSchema.shape.lossOption,
	model: model.optional().meta({
		...model.meta(),
		description: 'a model: lengths in its tokens, and its false negatives among the data',
	}),
	...ofModel,
});

type Options = z.output<typeof options>;

export const check = defineCommand({
	options,
	example: 'pairs.jsonl --eval scifact --model path/to/all-MiniLM-L6-v2',
	bare: 'data',
	check(settings, {asked}) {
		expectPrompts(settings, 'inbatch check');
		expectChoices(settings, {where: 'inbatch check'});
		if (settings.map !== undefined) namesGiven(mapOf(settings.map));
		if (settings.loss !== undefined) lossOf({...settings, loss: settings.loss});
		const {eval: evaluations} = settings;
		const needs = {
			model: [settings.model, ...ofTokens, ...Object.keys(ofModel)],
			loss: [settings.loss, 'lossOption'],
			eval: [evaluations[0], 'split'],
		};
		for (const [name, [given, ...keys]] of Object.entries(needs)) {
			const vain = given === undefined && asked.find(key => keys.includes(key));
			if (vain) throw conflict(vain, name);
		}
	},
	async run({model: source, loss, ...settings}, context) {
		const model =
			source === undefined ? undefined : await openModel({...settings, model: source}, context);
		try {
			const asked = checkOptions(settings);
			const made = loss === undefined ? undefined : lossOf({...settings, loss}).loss;
			const report = await withProgress(context, onProgress =>
				checkData(settings.data, {...asked, model, loss: made, onProgress, signal: context.signal}),
			);
			context.terminal.note(checkTable(report));
			await context.summarize(report);
			if (!report.ok) throw failure(report);
			return report;
		} finally {
			await model?.dispose();
		}
	},
});

/** Options that mean something only to the tokens of a model. */
const ofTokens = ['queryMaxLength', 'documentMaxLength', 'queryPrompt', 'documentPrompt', 'mine'];

function checkOptions(settings: Omit<Options, 'model' | 'loss'>): CheckOptions {
	const keys = Object.keys(checkSchema.shape) as (keyof typeof checkSchema.shape)[];
	const own = Object.fromEntries(keys.map(key => [key, settings[key]]));
	return {...own, eval: settings.eval, hub: {cache: settings.cache, offline: settings.offline}};
}

async function withProgress<T>(
	{terminal}: Context,
	work: (onProgress: (progress: {records: number}) => void) => Promise<T>,
): Promise<T> {
	const meter = await terminal.meter({label: 'check', unit: 'records'});
	try {
		return await work(({records}) => meter.update({count: records}));
	} finally {
		meter.stop();
	}
}

function failure({errors, warnings, findings}: CheckReport): EngineError {
	const kinds = findings
		.filter(({severity}) => severity === 'error' || errors === 0)
		.filter(({severity}) => severity !== 'note')
		.map(({count, kind}) => `${count} ${kind}`);
	const got = errors > 0 ? `${errors} errors` : `${warnings} warnings`;
	return new EngineError(
		'DATA_ROW',
		`check: expected data without, got ${got}: ${kinds.join(', ')}`,
	);
}

function conflict(key: string, name: string): EngineError {
	const message = `--${kebabCase(key)}: expected --${name} beside it, got none`;
	return new EngineError('OPTION_CONFLICT', message);
}
