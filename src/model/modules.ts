// The chain of a model's modules: what gives the rows of tokens, how they are pooled, and what comes
// after. Reads the folders of every version of sentence-transformers; what it does not know it refuses by name.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {readJsonObject} from './config.js';
import {
	expectEmbedding,
	type HeadLayer,
	moduleConfig,
	readDense,
	readLayerNorm,
} from './dense-config.js';
import {readDensePooler} from './dense-pooler.js';
import {type PoolingParts, readLayerMean} from './learned-pooling.js';
import {type Module, readModuleList} from './module-list.js';
import {readPoolingConfig} from './pooling-config.js';
import type {Route} from './router.js';
import {staticPlace} from './static-folder.js';
import {expectPlainMask} from './token-modules.js';

export type ModuleChain = PoolingParts & {
	/** Where the first module's configuration, weights and tokenizer lie. */
	transformer: string;
	/** Their folder in a saved model. */
	place: string;
	/** Of a token's row, as the pooling's configuration says. */
	poolingWidth: number | undefined;
	/** Whether a prompt's tokens take part in pooling. */
	includePrompt: boolean;
	dense: HeadLayer[];
	normalize: boolean;
	/** What is worth saying aloud. */
	warnings: string[];
};

/** The transformer by its class of today and by those of the first versions. */
const transformers = [
	...['Transformer', 'BERT', 'RoBERTa', 'DistilBERT', 'ALBERT', 'CamemBERT', 'XLMRoBERTa'],
	...['XLNet', 'T5'],
];

const known =
	'Transformer, StaticEmbedding, Router, WeightedLayerPooling, Pooling, Dense, LayerNorm, Dropout or ' +
	'Normalize';

/** What a class that is not supported does. */
const others: Readonly<Record<string, string>> = {
	CNN: 'a convolution over the tokens',
	LSTM: 'a recurrent network over the tokens',
	BoW: 'a bag of words',
	WordEmbeddings: 'a table of whole words with a tokenizer of its own',
	WordWeights: 'weights of single words',
	CLIPModel: 'a model of pictures and texts',
	MLMTransformer: 'scores of the vocabulary, for sparse embeddings',
	SpladePooling: 'a pooling for sparse embeddings',
	SparseAutoEncoder: 'a coder for sparse embeddings',
	SparseStaticEmbedding: 'a table for sparse embeddings',
	LogitScore: 'the score of a reranker',
};

/** The chain of modules.json; without that file nothing is said but that there is a transformer. */
export async function readModules(folder: string, route?: Route): Promise<ModuleChain> {
	const modules = await readModuleList(folder, route);
	const [first, ...rest] = modules ?? [];
	const chain: ModuleChain = {
		transformer: first?.folder ?? folder,
		place: first?.kind === 'StaticEmbedding' ? staticPlace : '',
		isStatic: first?.kind === 'StaticEmbedding',
		isUnpooled: rest.some(({kind}) => kind === 'MultiVectorMask'),
		poolings: [],
		poolingFolder: undefined,
		layerMean: undefined,
		poolingWidth: undefined,
		includePrompt: true,
		dense: [],
		normalize: false,
		warnings: [],
	};
	if (modules === undefined) {
		const pooler = await readDensePooler(folder, route);
		if (pooler) addLayer(chain, pooler);
		return chain;
	}
	if (!first || !isFirst(first)) throw refusal(first ?? rest[0], folder);
	const reading = {chain, isPooled: chain.isStatic || chain.isUnpooled};
	for (const module of rest) await addModule(reading, module);
	return chain;
}

function isFirst({kind}: Module): boolean {
	return kind === 'StaticEmbedding' || transformers.includes(kind);
}

function refusal(module: Module | undefined, folder: string): EngineError {
	if (!module)
		return new EngineError('MODEL_MODULE', `${folder}: expected modules, got an empty route`);
	const {kind, type, where} = module;
	const isKnown = [
		'WeightedLayerPooling',
		'Pooling',
		'Dense',
		'LayerNorm',
		'Dropout',
		'Normalize',
	].includes(kind);
	const what = Object.hasOwn(others, kind) ? `${others[kind]}, which` : 'which';
	return new EngineError(
		'MODEL_MODULE',
		isKnown || isFirst(module)
			? `${where}: expected a Transformer or StaticEmbedding first and once, got ${type}`
			: `${where}: expected ${known}, got ${type}, ${what} is not supported`,
	);
}

type Reading = {chain: ModuleChain; isPooled: boolean};

async function addModule(reading: Reading, module: Module): Promise<void> {
	const {chain, isPooled} = reading;
	const {kind, folder, where} = module;
	const read = Object.hasOwn(readers, kind) ? readers[kind] : undefined;
	if (!read) throw refusal(module, folder);
	if (kind === 'WeightedLayerPooling' && !isPooled && !chain.layerMean) {
		chain.layerMean = await readLayerMean(folder);
		return;
	}
	if ((kind === 'Pooling') === isPooled) {
		const alone = chain.isUnpooled ? 'no Pooling beside a MultiVectorMask' : 'Pooling';
		const first = chain.isStatic ? 'StaticEmbedding, which pools by itself' : alone;
		const got = isPooled ? 'another' : `${kind} before it`;
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected ${first}, once and before the rest, got ${got}`,
		);
	}
	if (chain.normalize && kind !== 'Dropout' && kind !== 'MultiVectorMask') {
		throw new EngineError(
			'MODEL_MODULE',
			`${where}: expected nothing after Normalize, got ${kind}, which is not supported there`,
		);
	}
	reading.isPooled = true;
	await read(chain, module);
}

const readers: Readonly<Record<string, (chain: ModuleChain, module: Module) => Promise<void>>> = {
	async Pooling(chain, {folder}) {
		const config = await moduleConfig(folder);
		const {poolings, width, includePrompt} = readPoolingConfig(config, join(folder, 'config.json'));
		const facts = {poolings, poolingWidth: width, includePrompt, poolingFolder: folder};
		Object.assign(chain, facts);
	},
	async WeightedLayerPooling(_, {where}) {
		const expected = 'expected a WeightedLayerPooling once and before the Pooling';
		throw new EngineError('MODEL_MODULE', `${where}: ${expected}, got one elsewhere`);
	},
	async Dense(chain, {folder}) {
		addLayer(chain, {kind: 'Dense', folder, ...(await readDense(folder, chain.isUnpooled))});
	},
	async LayerNorm(chain, {folder, where}) {
		if (chain.isUnpooled) {
			const expected = 'expected no LayerNorm over the rows of tokens';
			throw new EngineError('MODEL_MODULE', `${where}: ${expected}, which is not supported`);
		}
		addLayer(chain, {kind: 'LayerNorm', folder, ...(await readLayerNorm(folder))});
	},
	async Normalize(chain, {folder}) {
		const path = join(folder, 'config.json');
		expectEmbedding((await readJsonObject(path)) ?? {}, path, chain.isUnpooled);
		chain.normalize = true;
	},
	async MultiVectorMask(_, {folder}) {
		expectPlainMask(await moduleConfig(folder), join(folder, 'config.json'));
	},
	async Dropout(chain, {where}) {
		chain.warnings.push(`${where}: a Dropout behind pooling changes no embedding; it is left out`);
	},
};

/** Layers lie in folders that are numbered by their place in the chain as it is saved. */
export function addLayer(chain: ModuleChain, layer: Omit<HeadLayer, 'place'>): void {
	chain.dense.push({...layer, place: ''});
	numberLayers(chain);
}

/** To be called when a module has come before the layers. */
export function numberLayers(chain: ModuleChain): void {
	const first = (chain.isStatic || chain.isUnpooled ? 1 : 2) + (chain.layerMean ? 1 : 0);
	for (const [n, layer] of chain.dense.entries()) layer.place = `${first + n}_${layer.kind}`;
}
