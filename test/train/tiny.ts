// What the tests of training share: the tiny BERT, made-up rows, and what a run leaves behind.

import {createHash} from 'node:crypto';
import {readdirSync, readFileSync, renameSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {onTestFinished} from 'vitest';
import {
	readSafetensorsHeader,
	readTensor,
	type TensorDtype,
	writeSafetensors,
} from '../../dist/files/safetensors.js';
import {EmbeddingModel, type LoadOptions} from '../../dist/model/embedding-model.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {readParameters} from '../support/parameters.js';

export const bert = fileURLToPath(new URL('../fixtures/families/bert', import.meta.url));

/** The tiny BERT, or another folder, disposed when the test ends. */
export async function loadTiny(options: LoadOptions & {path?: string} = {}) {
	const {path = bert, ...rest} = options;
	const model = await EmbeddingModel.load(path, {pooling: 'mean', normalize: true, ...rest});
	onTestFinished(() => model.dispose());
	return model;
}

export type Row = {query: string; positive: string; negatives: string[]};

/** Rows in words that the tiny vocabulary has, no text twice; every other one with a hard negative. */
export function rowsOf(count: number): Row[] {
	const words = ['symptom', 'sign', 'pattern', 'service', 'union', 'company', 'age'];
	return Array.from({length: count}, (_, n) => {
		const word = words[n % words.length];
		return {
			query: `what is the ${word} ${n}`,
			positive: `the ${word} ${n} comes ${'with the other '.repeat(n % 4)}at age ${7 * n}`,
			negatives: n % 2 === 0 ? [] : [`this is not a ${word} ${n}`],
		};
	});
}

export const lines = (rows: readonly object[]) =>
	`${rows.map(row => JSON.stringify(row)).join('\n')}\n`;

/** Trains a model of its own; what is not said is small and quick. */
export async function trained(
	options: Partial<TrainOptions> & {threads?: number} = {},
): Promise<{model: EmbeddingModel; losses: number[]}> {
	const {threads = 2, onStep, ...rest} = options;
	const model = await loadTiny({threads});
	const losses: number[] = [];
	const noted: TrainOptions['onStep'] = step => {
		losses.push(step.loss);
		onStep?.(step);
	};
	await train(model, {...quick, ...rest, onStep: noted});
	return {model, losses};
}

/** Stops after a step, as a user does. */
export function stoppingAt(last: number): Pick<TrainOptions, 'signal' | 'onStep'> {
	const controller = new AbortController();
	const reason = new Error(`stopped at ${last}`);
	const actions = new Map([[last, () => controller.abort(reason)]]);
	return {signal: controller.signal, onStep: ({step}) => actions.get(step)?.()};
}

/** Options of a run that takes a moment and moves every weight. */
export const quick = {data: rowsOf(24), batchSize: 8, learningRate: 1e-3} as const;

/** The SHA-256 of every weight, by the parameter's name. */
export async function hashesOf({core}: EmbeddingModel): Promise<Map<string, string>> {
	const hashes = new Map<string, string>();
	for (const [name, values] of await readParameters(core)) {
		hashes.set(name, sha256(new Uint8Array(values.buffer)));
	}
	return hashes;
}

export function sha256(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex');
}

export const hashOf = (path: string) => sha256(readFileSync(path));

/** Every file of a folder, relative to it, in order. */
export function filesIn(folder: string): string[] {
	return readdirSync(folder, {recursive: true, withFileTypes: true})
		.filter(entry => entry.isFile())
		.map(({parentPath, name}) => join(parentPath, name).slice(folder.length + 1))
		.sort();
}

export type Logged = Record<string, number> & {evaluation?: Record<string, Record<string, number>>};

/** The lines of metrics.jsonl. */
export function metricsIn(output: string): Logged[] {
	const text = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trimEnd();
	return text.split('\n').map(line => JSON.parse(line) as Logged);
}

/** Metrics without what depends on the clock and the process. */
export function timeless(metrics: readonly Logged[]): object[] {
	return metrics.map(({rowsPerSecond, tokensPerSecond, peakMemoryBytes, ...rest}) => rest);
}

/** The bytes of the tensors in a weight file. */
export async function tensorsIn(path: string): Promise<Map<string, Uint8Array>> {
	const {tensors} = await readSafetensorsHeader(path);
	const found = new Map<string, Uint8Array>();
	for (const entry of tensors.values()) found.set(entry.name, await readTensor(path, entry));
	return found;
}

type TensorShapes = Readonly<Record<string, {dtype: TensorDtype; shape: readonly number[]}>>;

/** Adds tensors of made-up bytes to a weight file. */
export async function addTensors(path: string, added: TensorShapes): Promise<void> {
	const {tensors} = await readSafetensorsHeader(path);
	const bytes = await tensorsIn(path);
	const old = [...tensors.values()].map(({name, dtype, shape}) => ({
		...{name, dtype, shape, bytes: async () => bytes.get(name)!},
	}));
	const width = {F16: 2, F32: 4, F64: 8, I64: 8} as Record<string, number>;
	const made = Object.entries(added).map(([name, {dtype, shape}]) => ({
		...{name, dtype, shape},
		bytes: async () => {
			const size = shape.reduce((a, b) => a * b, width[dtype]!);
			return Uint8Array.from({length: size}, (_, n) => (17 * n + 1) % 251);
		},
	}));
	await writeSafetensors(`${path}.new`, [...made, ...old]);
	renameSync(`${path}.new`, path);
}
