// The model as a user holds it: load, encode, save, dispose.

import {createHash} from 'node:crypto';
import {type Device, openDevice} from '../device.js';
import {EngineError} from '../errors.js';
import type {NativeModel} from '../native.js';
import type {Tokenizer} from '../tokenizer/tokenizer.js';
import {type Encoded, type Encoding, encodeTexts} from './encode.js';
import type {ModelFolder} from './folder.js';
import {loadWeights, type ModuleWeights} from './load.js';
import {locateModel} from './locate.js';
import {
	badType,
	definedOf,
	type EncodeOptions,
	encodeOptions,
	expectKnown,
	expectWhole,
	type LoadOptions,
	loadOptions,
} from './model-options.js';
import {promptTokens} from './prompt.js';
import {type Route, routes} from './router.js';
import {saveModel} from './save.js';
import {
	encodeBatches,
	expectTextStream,
	type StreamBatch,
	type TextStream,
	type Watching,
} from './stream.js';
import {expectTokens, isUnpooled, withoutPooling} from './token-head.js';
import {encodeTokens, type TokenVectors} from './token-vectors.js';
import {closeTowers, openTowers, readTowers, routeOfPrompt, type Tower} from './towers.js';

export type {EncodeOptions, LoadOptions} from './model-options.js';
export type {IdentifiedText, StreamBatch} from './stream.js';

const defaultBatchTokens = 16384;

/**
A text-embedding model on a device.

@example
await using model = await EmbeddingModel.load('sentence-transformers/all-MiniLM-L6-v2');
const {data, rows, width} = await model.encode(['one text', 'another']);
*/
export class EmbeddingModel {
	/** Columns of an embedding. */
	readonly width: number;
	readonly maxLength: number;
	/** Prompts saved with the model, by name. */
	readonly prompts: Readonly<Record<string, string>>;
	readonly family: string;
	/** What was noticed while loading. */
	readonly warnings: readonly string[];
	/** For the other rooms of this package. */
	readonly stored: readonly ModuleWeights[];
	readonly computing: Device;
	readonly tokenizer: Tokenizer;
	/** Of two towers the one of texts of which nothing is said. */
	readonly defaultRoute: Route | null;
	readonly core: NativeModel;
	#towers: readonly [Tower, ...Tower[]];
	#weights: string;
	#calls = 0;
	#idle: (() => void) | undefined;
	#disposed: Promise<void> | undefined;

	private constructor(parts: {
		towers: readonly [Tower, ...Tower[]];
		defaultRoute: Route | null;
		computing: Device;
		core: NativeModel;
		stored: readonly ModuleWeights[];
		fingerprint: string;
		warnings: readonly string[];
	}) {
		this.#towers = parts.towers;
		this.defaultRoute = parts.defaultRoute;
		const [{folder, tokenizer}] = parts.towers;
		this.computing = parts.computing;
		this.tokenizer = tokenizer;
		this.core = parts.core;
		this.stored = parts.stored;
		this.#weights = parts.fingerprint;
		this.warnings = [...folder.warnings, ...parts.warnings];
		this.width = folder.width;
		this.maxLength = folder.maxLength;
		this.prompts = folder.prompts;
		this.family = folder.family.name;
	}

	/** Of the weights as they are and of what makes an embedding of their rows. */
	get fingerprint(): string {
		const parts = this.towers.flatMap(({folder: {spec, lowerCase, modules}}) => {
			return [spec, lowerCase, modules.includePrompt];
		});
		const {dtype} = this.computing;
		const precision = dtype === 'f32' ? [] : [dtype];
		const text = JSON.stringify([this.#weights, ...parts, ...precision]);
		return createHash('sha256').update(text).digest('hex').slice(0, 16);
	}

	/** One for all texts, or one of queries and one of documents. */
	get towers(): readonly [Tower, ...Tower[]] {
		return this.#towers;
	}

	/** Of the first tower; for the other rooms of this package. */
	get folder(): ModelFolder {
		return this.#towers[0].folder;
	}

	/** From now on the model is one of token vectors, without its pooling: what late interaction trains. */
	handUpTokens(): void {
		const [tower] = this.#towers;
		this.#towers = [{...tower, folder: withoutPooling(tower.folder)}];
	}

	/** To be called when the weights have changed. */
	async refresh(): Promise<void> {
		this.#weights = await this.core.pack();
	}

	/** Columns that encoding keeps unless asked otherwise: all, or what the folder says. */
	get dimensions(): number {
		return Math.min(this.folder.truncateDim ?? this.width, this.width);
	}

	/** The device's name, as `cpu`. */
	get device(): string {
		return this.computing.name;
	}

	/**
	Loads a model from a folder, from the hub by its id (`org/name`, `org/name@revision`), or the embedded
	one by the name `builtin`. A folder that is there wins over an id.
	*/
	static async load(source: string, options: LoadOptions = {}): Promise<EmbeddingModel> {
		if (typeof source !== 'string') throw badType('model', 'a path, an id or builtin', source);
		expectKnown('load', options, loadOptions);
		options.signal?.throwIfAborted();
		const {path, warnings} = await locateModel(source, options);
		const {folders, defaultRoute} = await readTowers(path, options);
		const computing = await openDevice(options);
		const loading = loadWeights(folders, computing, options.signal);
		const [towers, loaded] = await Promise.allSettled([openTowers(folders, options), loading]);
		if (towers.status === 'fulfilled' && loaded.status === 'fulfilled') {
			const parts = {towers: towers.value, defaultRoute, computing, ...loaded.value};
			const all = [...warnings, ...computing.warnings, ...parts.warnings];
			return new EmbeddingModel({...parts, warnings: all});
		}
		if (towers.status === 'fulfilled') await closeTowers(towers.value);
		if (loaded.status === 'fulfilled') await loaded.value.core.dispose();
		throw loaded.status === 'rejected' ? loaded.reason : (towers as PromiseRejectedResult).reason;
	}

	/** Embeddings of one text or of many; the bits of a text depend on nothing but the text. */
	async encode(texts: string | readonly string[], options: EncodeOptions = {}): Promise<Encoded> {
		const list = typeof texts === 'string' ? [texts] : texts;
		if (!Array.isArray(list)) {
			throw badType('texts', 'a text or an array', list);
		}
		const given = this.#settings(options);
		if (isUnpooled(this.folder.spec.head)) {
			const expected = 'expected a model of one vector a text, got one of token vectors';
			throw new EngineError(
				'MODEL_POOLING',
				`encode: ${expected}; use encodeTokens, or --token-vectors`,
			);
		}
		const {signal, onProgress} = options;
		const settings = {...given, signal, onProgress};
		return this.working(async () => {
			const skip = await this.promptTokens(settings.prompt, settings.maxLength, given.tower);
			return encodeTexts(this.#encoding(given.tower), list, {...settings, skip});
		});
	}

	/**
	The vectors of the tokens of one text or of many, of length 1 unless asked otherwise, as late
	interaction compares them (`maxSim`). A model with a pooling is taken without it.
	*/
	async encodeTokens(
		texts: string | readonly string[],
		options: EncodeOptions = {},
	): Promise<TokenVectors> {
		const list = typeof texts === 'string' ? [texts] : texts;
		if (!Array.isArray(list)) throw badType('texts', 'a text or an array', list);
		const {head} = this.folder.spec;
		const normalize = isUnpooled(head) ? head.normalize : true;
		const given = this.#settings({dimensions: this.width, normalize, ...definedOf(options)});
		expectTokens(this.folder);
		const {signal, onProgress} = options;
		return this.working(() =>
			encodeTokens(this.#encoding(given.tower), list, {...given, signal, onProgress}),
		);
	}

	#encoding({folder: {lowerCase, addSpecialTokens}, tokenizer, number}: Tower): Encoding {
		return {core: this.core, tower: number, tokenizer, lowerCase, addSpecialTokens};
	}

	/** The embedding of one text. */
	async embed(text: string, options: EncodeOptions = {}): Promise<Float32Array> {
		return (await this.encode([text], options)).data;
	}

	/**
	Embeddings of any (async) iterable of texts or `{id, text}`, in order, in batches of up to 1024 texts.
	The source is read only while a batch is waited for, and closed when the stream is left or aborted.
	*/
	encodeStream(
		texts: TextStream,
		options: EncodeOptions = {},
	): AsyncGenerator<StreamBatch, void, undefined> {
		expectTextStream(texts);
		this.#settings(options);
		const encode = (batch: readonly string[], watching: Watching) =>
			this.encode(batch, {...options, ...watching});
		return encodeBatches(texts, encode, options);
	}

	/** Writes the model as a sentence-transformers folder, read back and compared before it is renamed. */
	async save(path: string, {overwrite = false}: {overwrite?: boolean} = {}): Promise<void> {
		this.expectFloats('save');
		await this.working(() => saveModel(this, path, {overwrite}));
	}

	/** Refuses a model whose weights are no longer what its folder holds. */
	expectFloats(where: string): void {
		const {dtype} = this.computing;
		if (dtype !== 'int8') return;
		const expected = `${where}: expected a model loaded in f32 or bf16, got one in ${dtype}`;
		throw new EngineError(
			'DTYPE_UNSUPPORTED',
			`${expected}, which is for encoding; load it without dtype`,
		);
	}

	/** Waits for the calls in flight, then frees everything. */
	dispose(): Promise<void> {
		this.#disposed ??= this.#close();
		return this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	/** Work that dispose() waits for; also for the other rooms of this package. */
	async working<T>(work: () => Promise<T>): Promise<T> {
		if (this.#disposed) throw new EngineError('DISPOSED', 'model: used after dispose()');
		this.#calls++;
		try {
			return await work();
		} finally {
			if (--this.#calls === 0) this.#idle?.();
		}
	}

	/** A prompt by name, or literal, or the model's default. */
	promptOf({prompt, promptText}: Pick<EncodeOptions, 'prompt' | 'promptText'>): string {
		if (prompt !== undefined && promptText !== undefined) {
			throw new EngineError('OPTION_CONFLICT', 'prompt: expected a name or a text, got both');
		}
		const name = prompt ?? (promptText === undefined ? this.folder.defaultPrompt : null);
		const named = (given: string) =>
			Object.hasOwn(this.prompts, given) ? this.prompts[given] : undefined;
		const found = promptText ?? (name === null ? '' : named(name));
		if (found === undefined) {
			const known = Object.keys(this.prompts).join(', ') || 'none';
			throw new EngineError(
				'OPTION_RANGE',
				`prompt: expected one of the model's (${known}), got ${name}`,
			);
		}
		return found;
	}

	/** How many leading tokens of each text pooling leaves out: those of the prompt, where the model says so. */
	async promptTokens(
		prompt: string,
		maxLength: number,
		{folder: {modules, lowerCase}, tokenizer}: Tower,
	): Promise<number> {
		if (modules.includePrompt || prompt === '') return 0;
		return promptTokens(prompt, {tokenizer, lowerCase, maxLength});
	}

	/** The tower of a kind of text; the only one, where there is one. */
	towerOf(route: Route): Tower {
		return (route === 'document' ? this.towers[1] : undefined) ?? this.towers[0];
	}

	/** The route of a side of a comparison, as an option of encode(); nothing where one tower encodes both. */
	side(route: Route): {route?: Route} {
		return this.towers.length > 1 ? {route} : {};
	}

	/** The tower that options ask for: by the route, else by the prompt's name, else the folder's default. */
	#towerFor({route, prompt}: EncodeOptions): Tower {
		if (route !== undefined && !routes.includes(route)) {
			throw new EngineError('OPTION_RANGE', `route: expected query or document, got ${route}`);
		}
		if (this.towers.length === 1) {
			if (route === undefined) return this.towers[0];
			const message = `route: expected none for a model of one tower, got ${route}`;
			throw new EngineError('OPTION_CONFLICT', message);
		}
		const found = route ?? routeOfPrompt(prompt) ?? this.defaultRoute;
		if (found) return this.towerOf(found);
		throw new EngineError(
			'OPTION_MISSING',
			'route: expected query or document for a model of two towers without a default, got none',
		);
	}

	#settings(options: EncodeOptions) {
		expectKnown('encode', options, encodeOptions);
		const tower = this.#towerFor(options);
		const {folder} = tower;
		const {dimensions = this.dimensions, normalize = folder.spec.head.normalize} = options;
		if (typeof normalize !== 'boolean') throw badType('normalize', 'true or false', normalize);
		const {maxLength = folder.maxLength, batchTokens = defaultBatchTokens} = options;
		expectWhole('dimensions', dimensions, this.width);
		expectWhole('batch-tokens', batchTokens, 2 ** 26);
		const {longest, truncationSide} = folder;
		expectWhole('max-length', maxLength, longest);
		const prompt = this.promptOf(options);
		return {tower, dimensions, normalize, maxLength, batchTokens, prompt, truncationSide};
	}

	async #close(): Promise<void> {
		if (this.#calls > 0) {
			await new Promise<void>(resolve => {
				this.#idle = resolve;
			});
		}
		await Promise.all([closeTowers(this.towers), this.core.dispose()]);
	}
}
