// `inbatch encode`: texts to embeddings, in flat memory whatever the size of the input.

import {stat} from 'node:fs/promises';
import {z} from 'zod';
import {EngineError} from '../errors.js';
import {textBatches} from '../model/batches.js';
import type {EmbeddingModel, EncodeOptions} from '../model/embedding-model.js';
import type {Progress} from '../model/encode.js';
import {routes} from '../model/router.js';
import {type Context, defineCommand} from './command.js';
import {type Meter, rateText} from './meter.js';
import {modelOptions, openModel} from './model-options.js';
import {openTexts, type Text, type TextSource} from './texts.js';
import {
	checkVectorName,
	openTokenSink,
	openVectorSink,
	type VectorSink,
	type Vectors,
} from './vectors.js';

const options = z.object({
	input: z.string().min(1).meta({
		description: 'texts: a text file, one a line, or JSON Lines with "text"; - is standard input',
		placeholder: 'FILE',
		expected: 'a file or -',
	}),
	output: z.string().min(1).meta({
		description: 'X.npy (and X.ids), X.jsonl, or - for JSON Lines on stdout',
		placeholder: 'FILE',
		expected: 'a name that ends in .npy or .jsonl, or -',
	}),
	overwrite: z.boolean().default(false).describe('replace an output that is there'),
	field: z.array(z.string().min(1)).min(1).optional().meta({
		description:
			'fields of the objects to encode, joined by a space (default: title, if any, and text)',
		placeholder: 'NAME,…',
	}),
	prompt: z.string().optional().meta({
		description: "a prompt saved with the model, by name (default: the model's default prompt)",
		placeholder: 'NAME',
	}),
	promptText: z.string().optional().describe('a literal prompt; {} in it is where the text goes'),
	route: z
		.enum(routes)
		.optional()
		.describe('whose tower encodes, in a model of two (default: as the prompt or the folder says)'),
	dimensions: z.int().min(1).optional().describe('keep the first N columns (default: all)'),
	tokenVectors: z
		.boolean()
		.default(false)
		.describe('the vectors of all tokens, for late interaction; also writes X.offsets'),
	batchTokens: z
		.int()
		.min(1)
		.max(2 ** 26)
		.default(16384)
		.describe('tokens of one native call; never changes the result'),
	...modelOptions.shape,
});

type Options = z.output<typeof options>;

/** Texts whose tokens are held at once. */
const tokenTexts = 64;

type Totals = {texts: number; tokens: number; truncated: number};

export const encode = defineCommand({
	options,
	example: '--model path/to/all-MiniLM-L6-v2 --input texts.jsonl --output vectors.npy',
	check({output, prompt, promptText, tokenVectors}, {json}) {
		checkVectorName(output);
		if (tokenVectors && !output.endsWith('.npy')) {
			throw conflict(`--token-vectors: expected an --output that ends in .npy, got ${output}`);
		}
		if (prompt !== undefined && promptText !== undefined) {
			throw conflict('--prompt: expected this or --prompt-text, got both');
		}
		if (output === '-' && json) {
			throw conflict('--json: expected an --output that is a file, got -; both print on stdout');
		}
	},
	async run(settings, context) {
		const {input, output, overwrite, field} = settings;
		const source = await openTexts(input, {fields: field, signal: context.signal});
		try {
			const open = settings.tokenVectors ? openTokenSink : openVectorSink;
			const sink = await open(output, {overwrite, signal: context.signal});
			try {
				return await encodeInto(sink, source, settings, context);
			} finally {
				await sink.discard();
			}
		} finally {
			await source.close();
		}
	},
});

function conflict(message: string): EngineError {
	return new EngineError('OPTION_CONFLICT', message);
}

async function encodeInto(
	sink: VectorSink,
	source: TextSource,
	settings: Options,
	context: Context,
): Promise<object> {
	const model = await openModel(settings, context);
	try {
		const meter = await context.terminal.meter({label: 'encode', unit: 'texts'});
		const begun = performance.now();
		const progress = await progressOf(source, settings.input, meter);
		const totals = await encodeAll(
			{model, sink, source, progress},
			settings,
			context.signal,
		).finally(meter.stop);
		const seconds = (performance.now() - begun) / 1000;
		const summary = summarize(model, totals, {settings, context, seconds});
		await context.summarize(summary);
		await sink.commit();
		return summary;
	} finally {
		await model.dispose();
	}
}

type Work = {model: EmbeddingModel; sink: VectorSink; source: TextSource; progress: BatchProgress};

async function encodeAll(
	{model, sink, source, progress}: Work,
	{prompt, promptText, route, dimensions, batchTokens, tokenVectors}: Options,
	signal: AbortSignal,
): Promise<Totals> {
	const encodeBatch = tokenVectors ? tokenRows : textRows;
	const totals: Totals = {texts: 0, tokens: 0, truncated: 0};
	for await (const batch of textBatches(source.texts, tokenVectors ? tokenTexts : undefined)) {
		const onProgress = progress(totals.texts, batch.length);
		const texts = batch.map(({text}) => text);
		const asked = {prompt, promptText, route, dimensions, batchTokens, signal, onProgress};
		const {tokens, truncated, ...vectors} = await encodeBatch(model, texts, asked).catch(error => {
			throw placed(error, batch);
		});
		await sink.append({ids: batch.map(({id}) => id), ...vectors});
		totals.texts += batch.length;
		totals.tokens += tokens;
		totals.truncated += truncated;
	}
	if (totals.texts > 0) return totals;
	throw new EngineError('FILE_EMPTY', 'encode: expected texts in the input, got none');
}

type Batch = Omit<Vectors, 'ids'> & {tokens: number; truncated: number};

async function textRows(
	model: EmbeddingModel,
	texts: readonly string[],
	options: EncodeOptions,
): Promise<Batch> {
	const {data, width, tokens, truncated} = await model.encode(texts, options);
	return {data, width, tokens: tokens.reduce((sum, count) => sum + count, 0), truncated};
}

async function tokenRows(
	model: EmbeddingModel,
	texts: readonly string[],
	options: EncodeOptions,
): Promise<Batch> {
	const {rows: tokens, ...vectors} = await model.encodeTokens(texts, options);
	return {...vectors, tokens};
}

/** An error about a text of a batch, said of the line where the text stands. */
function placed(error: unknown, batch: readonly Text[]): unknown {
	if (!(error instanceof EngineError)) return error;
	const text = batch[Number(/^texts\[(\d+)\]/.exec(error.message)?.[1])];
	if (text === undefined) return error;
	const message = error.message.replace(/^texts\[\d+\]/, () => text.where);
	return new EngineError(error.code, message, {cause: error});
}

/** What to tell the meter while a batch is encoded, of `count` texts after `before`. */
type BatchProgress = (before: number, count: number) => (progress: Progress) => void;

/** The share of a file is known by its bytes; that of a stream is not. */
async function progressOf(source: TextSource, input: string, meter: Meter): Promise<BatchProgress> {
	const size = input === '-' ? 0 : await stat(input).then(({size}) => size);
	let bytes = 0;
	return (before, count) => {
		const [begin, end] = [bytes, source.bytesRead()];
		bytes = end;
		return ({done, total}) => {
			const part = done / total;
			const share = size > 0 ? (begin + (end - begin) * part) / size : undefined;
			meter.update({count: before + Math.round(count * part), share});
		};
	};
}

type Facts = {settings: Options; context: Context; seconds: number};

function summarize(
	model: EmbeddingModel,
	{texts, tokens, truncated}: Totals,
	{settings, context, seconds}: Facts,
): object {
	const {terminal} = context;
	const rate = rateText(texts, seconds);
	terminal.note(`${texts} texts, ${tokens} tokens in ${seconds.toFixed(2)} s: ${rate} texts/s`);
	if (truncated > 0) {
		const cut = truncated === 1 ? '1 text was' : `${truncated} texts were`;
		terminal.note(`${cut} cut to ${model.maxLength} tokens`);
	}
	return {
		texts,
		width: settings.dimensions ?? (settings.tokenVectors ? model.width : model.dimensions),
		tokens,
		truncated,
		seconds,
		textsPerSecond: texts / seconds,
		tokensPerSecond: tokens / seconds,
		device: model.device,
		kernels: model.computing.kernels,
		dtype: model.computing.dtype,
		peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
	};
}
