// The linear layer that dense retrievers keep beside a plain transformer, in a file of torch.save:
// `dense_pooler.bin` of FlagEmbedding's LLM-Embedder, for all texts, and `pooler.pt` of Tevatron, whose
// layers of queries and of passages are one or two. Saved, it is the Dense of sentence-transformers.

import {access} from 'node:fs/promises';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import type {TensorTable} from '../files/safetensors.js';
import {readTorchFile} from '../files/torch-file.js';
import {readJsonObject} from './config.js';
import type {HeadLayer, PoolerFile} from './dense-config.js';
import type {Route} from './router.js';

const plain = {name: 'dense_pooler.bin', prefix: ''};
const ofRoutes = {query: 'linear_q.', document: 'linear_p.'} as const;
const routed = 'pooler.pt';

/** The layer of a folder without modules.json, of a route where it has two; undefined: there is none. */
export async function readDensePooler(
	folder: string,
	route: Route = 'query',
): Promise<Omit<HeadLayer, 'place'> | undefined> {
	if (await isThere(join(folder, plain.name))) return layerOf(folder, plain);
	if (!(await isThere(join(folder, routed)))) return undefined;
	return layerOf(folder, {name: routed, prefix: ofRoutes[route]});
}

/** Whether queries and passages have layers of their own. */
export async function hasTwoPoolers(folder: string): Promise<boolean> {
	if (!(await isThere(join(folder, routed)))) return false;
	const {tied} = (await readJsonObject(join(folder, 'pooler_config.json'))) ?? {};
	if (tied === true) return false;
	const {tensors} = await readTorchFile(join(folder, routed));
	return tensors.has(`${ofRoutes.document}weight`);
}

/** The tensors of the layer, under the names of a Dense. */
export async function poolerTable(folder: string, file: PoolerFile): Promise<TensorTable> {
	const table = await readTorchFile(join(folder, file.name));
	const own = [...table.tensors].flatMap(([name, entry]) => {
		if (!name.startsWith(file.prefix)) return [];
		const part = `linear.${name.slice(file.prefix.length)}`;
		return [[part, {...entry, name: part}] as const];
	});
	return {...table, tensors: new Map(own)};
}

async function layerOf(folder: string, pooler: PoolerFile): Promise<Omit<HeadLayer, 'place'>> {
	const {path, tensors} = await poolerTable(folder, pooler);
	const [width, inputs, ...more] = tensors.get('linear.weight')?.shape ?? [];
	if (width === undefined || inputs === undefined || more.length > 0) {
		const got = [...tensors.keys()].join(', ') || 'none';
		throw new EngineError(
			'MODEL_TENSOR',
			`${path}: expected a matrix "${pooler.prefix}weight", got ${got}`,
		);
	}
	const spec = {width, bias: tensors.has('linear.bias'), activation: 'none'} as const;
	return {kind: 'Dense', spec, inputs, folder, pooler};
}

async function isThere(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}
