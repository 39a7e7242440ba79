// The options of every command that uses a model, and the model they open.

import {z} from 'zod';
import {hubOptions, isOn} from '../hub/settings.js';
import type {DownloadProgress} from '../hub/snapshot.js';
import {EmbeddingModel} from '../model/embedding-model.js';
import type {AskedPooling} from '../model/learned-pooling.js';
import type {NewParts} from '../model/new-parts.js';
import {poolings} from '../model/spec.js';
import type {Context} from './command.js';
import type {Meter} from './meter.js';

const group = 'Model:';
const megabyte = 1e6;

export const modelOptions = z.object({
	model: z.string().min(1).meta({
		description: "a model folder, an id of the hub, or 'builtin' for the embedded model",
		expected: "a folder, an id of the hub or 'builtin'",
		placeholder: 'PATH|ID',
		group,
	}),
	...hubOptions.shape,
	device: z
		.string()
		.regex(/^(auto|cpu|cuda(:\d+)?)$/)
		.default('auto')
		.meta({
			description: 'where to compute; auto is the first usable card, else the CPU',
			expected: 'cpu, cuda, cuda:<i> or auto',
			placeholder: 'cpu|cuda|cuda:<i>|auto',
			group,
		}),
	threads: z.int().min(1).max(1024).optional().meta({
		description: 'threads (default: the physical cores this process may use)',
		group,
	}),
	dtype: z.enum(['f32', 'bf16', 'int8']).optional().meta({
		description:
			'what is computed in (default: f32 on the CPU, bf16 on a card; int8: for encoding, faster)',
		group,
	}),
	pooling: z.enum(poolings).optional().meta({
		description: 'how token vectors become one vector (default: as the folder says)',
		group,
	}),
	normalize: z.boolean().optional().meta({
		description: 'embeddings of unit length (default: as the folder says)',
		group,
	}),
	maxLength: z.int().min(1).optional().meta({
		description: 'longest text in tokens, special ones included (default: as the folder says)',
		group,
	}),
	truncationSide: z.enum(['right', 'left']).optional().meta({
		description: 'the side of a long text that is cut (default: as the folder says, else right)',
		group,
	}),
	seed: z.int().min(0).max(0xffffffff).default(0).meta({
		description: 'seed of every random choice',
		group,
	}),
});

export type ModelOptions = z.output<typeof modelOptions>;

type Opening = Omit<ModelOptions, 'pooling'> & {
	pooling?: AskedPooling | undefined;
	newParts?: NewParts;
};

/** Warnings of this process: a second model on the same device has some in common. */
const said = new Set<string>();

/** Loads the model and says what computes. */
export async function openModel(
	{model: source, newParts, ...options}: Opening,
	{terminal, signal}: Pick<Context, 'terminal' | 'signal'>,
): Promise<EmbeddingModel> {
	const {device, threads: asked, dtype, pooling, normalize, maxLength, truncationSide} = options;
	const {revision, cache, offline} = options;
	const download = downloadMeter(terminal);
	const model = await EmbeddingModel.load(source, {
		revision,
		cache,
		offline,
		device,
		threads: asked,
		dtype,
		pooling,
		normalize,
		maxLength,
		truncationSide,
		...newParts,
		signal,
		onProgress: download.update,
	}).finally(download.stop);
	const {name, threads, kernels, dtype: computed} = model.computing;
	const count = `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
	terminal.note(`device: ${name}, ${count}, ${kernels}, ${computed}`);
	for (const warning of model.warnings) {
		if (!said.has(warning)) terminal.warn(warning);
		said.add(warning);
	}
	return model;
}

/** Shows a download, if there is one. */
export function downloadMeter(terminal: Context['terminal']) {
	let meter: Promise<Meter> | undefined;
	const isShown = !isOn('HF_HUB_DISABLE_PROGRESS_BARS');
	return {
		update({file, received, total}: DownloadProgress) {
			if (!isShown) return;
			meter ??= terminal.meter({label: 'download', unit: 'MB'});
			const count = Math.round(received / megabyte);
			void meter.then(one => one.update({count, share: received / total, note: file}));
		},
		stop: async () => (await meter)?.stop(),
	};
}
