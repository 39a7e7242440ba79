// The list of commands, in the order of --help. Each is loaded when it is called.

import type {Command} from './command.js';

export type CommandEntry = {name: string; summary: string; load: () => Promise<Command>};

export const commands: readonly CommandEntry[] = [
	{
		name: 'encode',
		summary: 'turn texts into embeddings',
		load: async () => (await import('./encode.js')).encode,
	},
	{
		name: 'evaluate',
		summary: 'measure a model, or a run of any system, on retrieval sets and scored pairs',
		load: async () => (await import('./evaluate.js')).evaluate,
	},
	{
		name: 'train',
		summary: 'fine-tune a model on pairs and triplets',
		load: async () => (await import('./train.js')).train,
	},
	{
		name: 'check',
		summary: 'examine training data: broken lines, repeats, leakage, lengths, labels and scores',
		load: async () => (await import('./check.js')).check,
	},
	{
		name: 'mix',
		summary: 'make one model out of several, by the mean of their weights',
		load: async () => (await import('./mix.js')).mix,
	},
	{
		name: 'replay',
		summary: 'repeat a run by its run.json and prove or disprove that it gives the same bits',
		load: async () => (await import('./replay.js')).replay,
	},
	{
		name: 'plan',
		summary: 'tell what a training would take of memory, time and disk',
		load: async () => (await import('./plan.js')).plan,
	},
	{
		name: 'quickstart',
		summary: 'fine-tune the embedded model on the embedded sample and show the gain',
		load: async () => (await import('./quickstart.js')).quickstart,
	},
	{
		name: 'info',
		summary: 'show devices, kernels and places',
		load: async () => (await import('./info.js')).info,
	},
];
