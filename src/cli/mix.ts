// `inbatch mix`: one model out of several, whose weights are the mean of theirs.

import {z} from 'zod';
import {type MixReport, mixModels, mixWeights} from '../model/mix.js';
import {defineCommand} from './command.js';
import {downloadMeter, modelOptions} from './model-options.js';

const {revision, cache, offline, pooling, normalize, maxLength, truncationSide} =
	modelOptions.shape;

const options = z.object({
	model: z.array(z.string().min(1)).min(1).meta({
		description: 'two models or more: folders, checkpoints, ids of the hub or builtin',
		expected: 'two models or more',
		placeholder: 'PATH|ID',
		variadic: true,
	}),
	weights: z.array(z.number()).min(1).optional().meta({
		description: 'what each counts, as 0.7,0.3; together 1 (default: all the same)',
		placeholder: 'N,…',
	}),
	output: z.string().min(1).meta({
		description: 'the folder that the mixture becomes',
		expected: 'a folder to write',
		placeholder: 'DIR',
	}),
	overwrite: z.boolean().default(false).describe('replace an output that is there'),
	revision,
	cache,
	offline,
	pooling,
	normalize,
	maxLength,
	truncationSide,
});

export const mix = defineCommand({
	options,
	example: '--model tuned path/to/all-MiniLM-L6-v2 --weights 0.7,0.3 --output mixed',
	check({model, weights}) {
		mixWeights(model, weights);
	},
	async run({model, ...settings}, {terminal, signal}) {
		const download = downloadMeter(terminal);
		const report = await mixModels(model, {
			...settings,
			signal,
			onProgress: download.update,
			onMessage: message => terminal.warn(message),
		}).finally(download.stop);
		terminal.note(textOf(report));
		return report;
	},
});

function textOf({output, models, parameters}: MixReport): string {
	const parts = models.map(({path, weight}) => `${weight} × ${path}`);
	return `${parts.join(' + ')}: ${parameters} parameters in ${output}`;
}
