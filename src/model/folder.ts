// What a model folder says of itself, before any weight is read: family, spec, pooling, lengths, prompts.
// Reads Hugging Face folders and sentence-transformers folders of old and new shape.

import {dirname, join} from 'node:path';
import {EngineError} from '../errors.js';
import {readTokenizerFiles, type TokenizerFiles} from '../tokenizer/files.js';
import {familyConfig, type JsonObject, readJsonObject} from './config.js';
import {denseActivations} from './dense-activations.js';
import {families} from './families/index.js';
import {staticEmbedding} from './families/static.js';
import {type AskedPooling, expectLayers, takePooling} from './learned-pooling.js';
import {addLayer, type ModuleChain, numberLayers, readModules} from './modules.js';
import type {NewParts} from './new-parts.js';
import {type OuterConfig, readOuterConfig} from './outer-config.js';
import {isInOldOrder} from './pooling-config.js';
import {type RemoteCode, readRemoteCode, saveWarning} from './remote-code.js';
import type {Route} from './router.js';
import {nothingSaid, readSentenceConfig, type SentenceConfig} from './sentence-config.js';
import {
	type BodySpec,
	type DropoutRates,
	type Family,
	type FamilyConfig,
	type HeadSpec,
	type LayerMeanSpec,
	type ModelSpec,
	type PoolingKind,
	poolings,
} from './spec.js';
import {readStaticFolder} from './static-folder.js';
import {tokenWarning} from './token-modules.js';

export type TruncationSide = 'right' | 'left';

/** What overrides the folder. */
export type FolderOptions = {
	/** How token vectors become one vector. Default: as the folder says. */
	pooling?: AskedPooling | undefined;
	/** Unit length. Default: as the folder says. */
	normalize?: boolean | undefined;
	/** Longest text in tokens, special ones included. Default: as the folder says. */
	maxLength?: number | undefined;
	/** The side of a long text that is cut. Default: as the folder says, else right. */
	truncationSide?: TruncationSide | undefined;
};

export type ModelFolder = OuterConfig & {
	path: string;
	/** Where the configuration, the weights and the tokenizer of the first module lie. */
	transformer: string;
	/** The configuration of the transformer, which lies elsewhere when it is trained from scratch. */
	configPath: string;
	/** What begins anew. */
	newParts: NewParts;
	/** The kind of text that this tower of two encodes; undefined: it is the only one. */
	route: Route | undefined;
	/** Empty for a table of embeddings. */
	config: JsonObject;
	family: Family;
	spec: ModelSpec;
	/** Columns of an embedding. */
	width: number;
	dropout: DropoutRates;
	modules: ModuleChain;
	tokenizerFiles: TokenizerFiles;
	/** Whether texts get the tokens that the tokenizer puts around them. */
	addSpecialTokens: boolean;
	maxLength: number;
	/** What maxLength can be at most. */
	longest: number;
	truncationSide: TruncationSide;
	/** Whether texts are lower-cased before the tokenizer sees them. */
	lowerCase: boolean;
	/** Code of the model's own, which others need to open it. */
	remoteCode: RemoteCode | null;
	/** What is worth saying aloud. */
	warnings: string[];
	/** What is worth saying before work begins whose result is saved. */
	saveWarnings: string[];
};

/** Reads everything but the weights, of a route where the folder has two. */
export async function readModelFolder(
	path: string,
	options: FolderOptions & NewParts = {},
	route?: Route,
): Promise<ModelFolder> {
	const modules = await readModules(path, route);
	const newParts = await checkedParts(options);
	const first = await firstModule(modules, newParts);
	const {body, config, configPath, family, dropout, tokenizerFiles, sentence} = first;
	const remoteCode = await readRemoteCode(dirname(configPath), config);
	const pooling = takePooling(modules, options.pooling, body);
	numberLayers(modules);
	expectLayers(modules, body, path);
	const asked = {...options, pooling};
	addNewLayers(modules, body, asked, path);
	const {head, width} = headOf(modules, body, asked, path);
	const outer = await readOuterConfig(path, modules);
	const warnings = [...modules.warnings, ...sentence.warnings];
	const longest = body.longest || unlimited;
	return {
		path,
		transformer: modules.transformer,
		config,
		configPath,
		newParts,
		route,
		family,
		spec: {...body, layerMean: layerMeanOf(modules), head},
		width,
		dropout,
		modules,
		tokenizerFiles,
		addSpecialTokens: !modules.isStatic,
		maxLength: maxLengthOf({
			asked: options.maxLength,
			said: sentence.maxLength ?? tokenizerFiles.modelMaxLength,
			longest,
			warnings,
		}),
		longest,
		truncationSide: truncationSideOf(options, sentence.truncationSide, tokenizerFiles),
		lowerCase: sentence.lowerCase,
		...outer,
		...((newParts.dense ?? newParts.densePooler) && {truncateDim: null}),
		remoteCode,
		warnings,
		saveWarnings: saveWarningsOf(remoteCode, head),
	};
}

/** The first module of a chain, before its weights. */
type FirstModule = {
	config: JsonObject;
	configPath: string;
	family: Family;
	body: BodySpec;
	dropout: DropoutRates;
	tokenizerFiles: TokenizerFiles;
	sentence: SentenceConfig;
};

const namesOfParts: Record<keyof NewParts, true> = {
	init: true,
	dense: true,
	denseActivation: true,
	densePooler: true,
	towers: true,
	documentModel: true,
	denseBias: true,
	seed: true,
};

/** The new parts among the options, checked; who asks for none need not load the checks. */
async function checkedParts(options: NewParts): Promise<NewParts> {
	const names = Object.keys(namesOfParts) as (keyof NewParts)[];
	if (names.every(name => options[name] === undefined)) return {};
	return (await import('./new-parts.js')).newPartsOf(options, 'load');
}

async function firstModule(
	{isStatic, transformer}: ModuleChain,
	{init}: NewParts,
): Promise<FirstModule> {
	if (!isStatic) return transformerModule(transformer, init);
	if (init === undefined) return staticModule(transformer);
	const expected = 'expected a model with a tokenizer of its own, got a StaticEmbedding';
	throw new EngineError('OPTION_CONFLICT', `init: ${expected} in ${transformer}`);
}

async function transformerModule(folder: string, init: string | undefined): Promise<FirstModule> {
	const path = init ?? join(folder, 'config.json');
	const file = await readJsonObject(path);
	if (!file) {
		throw new EngineError(
			'MODEL_NOT_FOUND',
			`${path}: expected the configuration of a model, got no file`,
		);
	}
	const sentence = await readSentenceConfig(folder);
	const config = init === undefined ? {...file, ...sentence.overrides} : file;
	const reader = familyConfig(config, path);
	const family = familyOf(reader, config['model_type'], path);
	const [body, dropout] = [family.spec(reader), family.dropout(reader)];
	return {
		...{config, configPath: path, family, body, dropout, sentence},
		tokenizerFiles: await readTokenizerFiles(folder),
	};
}

async function staticModule(folder: string): Promise<FirstModule> {
	const {sizes, tokenizerFiles} = await readStaticFolder(folder);
	const reader = familyConfig(sizes, join(folder, 'model.safetensors'));
	const family = staticEmbedding;
	const [body, dropout] = [family.spec(reader), family.dropout(reader)];
	const configPath = join(folder, 'config.json');
	return {config: {}, configPath, family, body, dropout, tokenizerFiles, sentence: nothingSaid};
}

function familyOf(config: FamilyConfig, type: unknown, where: string): Family {
	const family = families.find(
		one => one.modelTypes.includes(String(type)) && (one.matches?.(config) ?? true),
	);
	if (family) return family;
	const known = [...new Set(families.flatMap(one => one.modelTypes))].join(', ');
	throw new EngineError(
		'MODEL_FAMILY',
		`${where}: expected "model_type" of ${known}, got ${JSON.stringify(type)}`,
	);
}

type HeadOptions = Omit<FolderOptions, 'pooling'> & {pooling: PoolingKind | undefined};

function layerMeanOf({layerMean}: ModuleChain): LayerMeanSpec | undefined {
	return layerMean && {start: layerMean.start};
}

/** Layers whose weights begin anew: the new Dense, and all of them behind a new transformer. */
function addNewLayers(
	modules: ModuleChain,
	{width}: BodySpec,
	options: HeadOptions & NewParts,
	path: string,
): void {
	const {init, dense, densePooler = false} = options;
	const {denseActivation = 'identity', denseBias: bias = !densePooler} = options;
	if (init !== undefined) forgetWeights(modules);
	if (dense === undefined && !densePooler) return;
	const before = headOf(modules, {width}, options, path).width;
	const spec = {width: dense ?? before, bias, activation: denseActivations[denseActivation]};
	addLayer(modules, {kind: 'Dense', inputs: before, spec, folder: undefined});
}

/** Behind a new transformer nothing keeps its weights. */
function forgetWeights(modules: ModuleChain): void {
	modules.poolingFolder = undefined;
	if (modules.layerMean) modules.layerMean = {...modules.layerMean, folder: undefined};
	for (const layer of modules.dense) layer.folder = undefined;
}

/** What makes an embedding of a text's rows, each part fitting the one before it. */
function headOf(
	modules: ModuleChain,
	{width}: Pick<BodySpec, 'width'>,
	options: HeadOptions,
	path: string,
): {head: HeadSpec; width: number} {
	const {poolingWidth = width, dense} = modules;
	if (poolingWidth !== width) {
		throw new EngineError(
			'MODEL_CONFIG',
			`${path}: expected a pooling of rows of ${width} columns, got ${poolingWidth}`,
		);
	}
	const pooling = poolingOf(modules, options.pooling, path);
	let columns = Math.max(1, pooling.length) * width;
	for (const {inputs, spec, place, folder = place} of dense) {
		if (inputs !== columns) {
			throw new EngineError(
				'MODEL_CONFIG',
				`${folder}: expected in_features of ${columns}, got ${inputs} (in ${path})`,
			);
		}
		columns = spec.width || columns;
	}
	const normalize = options.normalize ?? modules.normalize;
	return {head: {pooling, dense: dense.map(({spec}) => spec), normalize}, width: columns};
}

function poolingOf(
	{poolings: said, isStatic, isUnpooled}: ModuleChain,
	asked: PoolingKind | undefined,
	path: string,
): readonly PoolingKind[] {
	if (isUnpooled && asked !== undefined) {
		const why = 'a MultiVectorEncoder hands up the vectors of tokens';
		throw new EngineError('OPTION_CONFLICT', `pooling: expected none, got ${asked}; ${why}`);
	}
	if (isUnpooled) return [];
	if (isStatic && (asked ?? 'mean') !== 'mean') {
		const why = 'a StaticEmbedding pools by the mean';
		throw new EngineError('OPTION_CONFLICT', `pooling: expected mean, got ${asked}; ${why}`);
	}
	const pooling = isStatic ? (['mean'] as const) : asked ? [asked] : said;
	const isKnown = (one: PoolingKind) => one === 'gem' || poolings.includes(one);
	if (pooling.length > 0 && pooling.every(isKnown)) return pooling;
	throw new EngineError(
		'MODEL_POOLING',
		`${path}: expected the folder or --pooling to say how token vectors become one vector, ` +
			`got ${asked ?? 'neither'}; choose one of ${poolings.join(', ')}`,
	);
}

/** Stands for no limit; lengths in files that are as long mean none either. */
const unlimited = 2 ** 30;

type Lengths = {
	asked: number | undefined;
	/** By the folder's files. */
	said: number | null;
	longest: number;
	warnings: string[];
};

/** Asked, then what the folder says, then what the model can. */
function maxLengthOf({asked, said, longest, warnings}: Lengths): number {
	if (asked !== undefined) {
		if (Number.isInteger(asked) && asked >= 1 && asked <= longest) return asked;
		throw new EngineError(
			'OPTION_RANGE',
			`max-length: expected 1 to ${longest}, the positions of the model, got ${asked}`,
		);
	}
	if (said !== null && said > longest)
		warnings.push(`the folder asks for ${said} tokens, the model has positions for ${longest}`);
	return Math.min(said ?? longest, longest);
}

function truncationSideOf(
	{truncationSide}: FolderOptions,
	said: unknown,
	{source: {settings}, folder}: TokenizerFiles,
): TruncationSide {
	const side = truncationSide ?? said ?? settings['truncation_side'] ?? 'right';
	if (side === 'right' || side === 'left') return side;
	throw new EngineError(
		'MODEL_CONFIG',
		`${folder}: expected "truncation_side" of right or left, got ${JSON.stringify(side)}`,
	);
}

function saveWarningsOf(remoteCode: RemoteCode | null, {pooling}: HeadSpec): string[] {
	const order = 'only version 5.4 and newer join poolings in the order of this model';
	const gem = 'no version knows the pooling gem, a generalised mean';
	const unknown = pooling.includes('gem') ? gem : order;
	const reasons = [remoteCode?.reason ?? [], isInOldOrder(pooling) ? [] : unknown].flat();
	return [...reasons.map(saveWarning), ...(pooling.length === 0 ? [tokenWarning] : [])];
}
