// A model whose weights are a weighted mean of those of others of its architecture, as LM-Cocktail and model
// soups have it (Xiao and others 2023; Wortsman and others 2022).
//
// Sums are f64, in the order of the models, rounded once. Everything but the weights is the first model's.

import {realpath} from 'node:fs/promises';
import {resolve, sep} from 'node:path';
import {EngineError} from '../errors.js';
import {giveTurn} from '../pace.js';
import {modelCard} from './card.js';
import {EmbeddingModel, type LoadOptions} from './embedding-model.js';
import {foldersOf, type Savable, saveModel} from './save.js';

export type MixOptions = Omit<LoadOptions, 'signal' | 'onProgress'> & {
	/** What each model counts, in their order; together 1. Default: all the same. */
	weights?: readonly number[] | undefined;
	/** The folder that the mixture becomes. */
	output: string;
	overwrite?: boolean | undefined;
	signal?: AbortSignal | undefined;
	/** While a model is downloaded. */
	onProgress?: LoadOptions['onProgress'];
	/** What a person should know. */
	onMessage?: ((message: string) => void) | undefined;
};

export type MixReport = {
	output: string;
	models: {path: string; fingerprint: string; weight: number}[];
	/** Numbers that were mixed. */
	parameters: number;
};

/** How far the sum of the weights may be from 1. */
const slack = 1e-6;

/** Elements that are mixed in one go. */
const pieceSize = 2 ** 17;

/** Documented where it is public: index.ts. */
export async function mixModels(
	sources: readonly string[],
	{weights, output, overwrite = false, signal, onMessage, ...loading}: MixOptions,
): Promise<MixReport> {
	const shares = mixWeights(sources, weights);
	const models: EmbeddingModel[] = [];
	try {
		for (const source of sources) {
			models.push(await EmbeddingModel.load(source, {...loading, signal}));
			for (const warning of models.at(-1)!.warnings) onMessage?.(`${source}: ${warning}`);
		}
		await expectFree(output, models);
		const [first, ...others] = models;
		for (const other of others) expectAlike(first!, other);
		const mixed = mixtureOf(models, shares, signal);
		const made = models.map(({folder, fingerprint}, n) => ({
			...{path: folder.path, fingerprint, weight: shares[n]!},
		}));
		await saveModel(mixed, output, {overwrite, card: cardOf(first!, made)});
		signal?.throwIfAborted();
		return {output, models: made, parameters: elementsOf(first!)};
	} finally {
		for (const model of models) await model.dispose();
	}
}

/** The weight of each model; refuses what does not make a mean. */
export function mixWeights(sources: readonly string[], given?: readonly number[]): number[] {
	const refuse = (what: string): never => {
		throw new EngineError('OPTION_RANGE', `weights: expected ${what}`);
	};
	if (sources.length < 2) {
		const message = `mix: expected two models or more, got ${sources.length}`;
		throw new EngineError('OPTION_MISSING', message);
	}
	const weights = given ?? sources.map(() => 1 / sources.length);
	if (weights.length !== sources.length) {
		refuse(`one for each of ${sources.length} models, got ${weights.length}`);
	}
	const stranger = weights.find(weight => !Number.isFinite(weight));
	if (stranger !== undefined) refuse(`finite numbers, got ${stranger}`);
	const sum = weights.reduce((total, weight) => total + weight, 0);
	if (Math.abs(sum - 1) > slack) refuse(`a sum of 1, got ${weights.join(' + ')} = ${sum}`);
	return [...weights];
}

/** Refuses to write over, or around, what is read. */
async function expectFree(output: string, models: readonly EmbeddingModel[]): Promise<void> {
	const place = await realpath(output).catch(() => resolve(output));
	for (const {folder} of models.flatMap(({towers}) => towers)) {
		if (!`${await realpath(folder.path)}${sep}`.startsWith(`${place}${sep}`)) continue;
		throw new EngineError(
			'OPTION_CONFLICT',
			`output: expected a folder beside the models, got ${output}, which holds ${folder.path}`,
		);
	}
}

/** Refuses models of two architectures by the first tensor, or the first part, that differs. */
function expectAlike(first: EmbeddingModel, other: EmbeddingModel): void {
	const [a, b] = [first, other].map(shapesOf) as [Map<string, Shape>, Map<string, Shape>];
	for (const [name, {shape, file}] of a) {
		const got = b.get(name);
		if (got?.shape === shape) continue;
		const found = got ? got.shape : 'none';
		throw unlike('MODEL_TENSOR', [first, other], `tensor "${file}" of ${shape}`, found);
	}
	const more = [...b].find(([name]) => !a.has(name));
	if (more) {
		const {file, shape} = more[1];
		throw unlike('MODEL_TENSOR', [first, other], `no tensor "${file}"`, `one of ${shape}`);
	}
	const [one, two] = [first, other].map(({folder}) => folder.spec as Record<string, unknown>);
	for (const key of Object.keys({...one, ...two})) {
		const [expected, got] = [one, two].map(spec => JSON.stringify(spec![key]));
		if (expected === got) continue;
		throw unlike('MODEL_CONFIG', [first, other], `${key} ${shorten(expected)}`, shorten(got));
	}
}

const shorten = (text = 'none') => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

function unlike(
	code: 'MODEL_TENSOR' | 'MODEL_CONFIG',
	[first, other]: readonly EmbeddingModel[],
	expected: string,
	got: string,
): EngineError {
	const [a, b] = [first!.folder.path, other!.folder.path];
	return new EngineError(code, `${b}: expected ${expected} as in ${a}, got ${got}`);
}

type Shape = {shape: string; file: string};

/** The shape of each parameter, and what its file calls it. */
function shapesOf({core, stored}: EmbeddingModel): Map<string, Shape> {
	const files = new Map(
		stored.flatMap(({mapped}) => mapped.map(({parameter, file}) => [parameter, file])),
	);
	return new Map(
		core
			.parameters()
			.map(({name, rows, columns}) => [
				name,
				{shape: `${rows} × ${columns}`, file: files.get(name) ?? name},
			]),
	);
}

/** The first model as it is saved, with the mean of all in place of its weights. */
function mixtureOf(
	models: readonly EmbeddingModel[],
	weights: readonly number[],
	signal: AbortSignal | undefined,
): Savable {
	const [{towers, defaultRoute, stored, width, core}] = models as [EmbeddingModel];
	const columns = new Map(core.parameters().map(p => [p.name, p.columns]));
	const read: Savable['core']['read'] = async (part, name, row, values) => {
		const across = columns.get(name)!;
		const most = Math.max(1, Math.floor(pieceSize / across)) * across;
		for (let at = 0; at < values.length; at += most) {
			signal?.throwIfAborted();
			const piece = new Float32Array(Math.min(most, values.length - at));
			const sums = new Float64Array(piece.length);
			for (const [n, model] of models.entries()) {
				await model.core.read(part, name, row + at / across, piece);
				for (let i = 0; i < piece.length; i++) sums[i]! += weights[n]! * piece[i]!;
				await giveTurn();
			}
			values.set(sums, at);
		}
	};
	const mixed = {parameters: () => core.parameters(), read};
	return {towers, defaultRoute, stored, width, core: mixed};
}

function elementsOf({core}: EmbeddingModel): number {
	return core.parameters().reduce((sum, {rows, columns}) => sum + rows * columns, 0);
}

function cardOf({towers, width}: EmbeddingModel, models: MixReport['models']): string {
	const lines = models.map(
		({path, weight, fingerprint}) => `- ${weight} × ${path} (${fingerprint})`,
	);
	const mixture = `The weights are the sum of\n\n${lines.join('\n')}\n\nand everything else is the first one's.`;
	return modelCard(foldersOf({towers}), width, {mixture});
}
