// Which files of a repository are chosen, and which are missing.

import {expect, test} from 'vitest';
import {chooseFiles} from '../../dist/hub/choose.js';

type Files = Record<string, unknown>;

function choose(files: Files) {
	return chooseFiles(Object.keys(files), async name => files[name]);
}

const index = (...shards: string[]) => ({
	weight_map: Object.fromEntries(shards.map((shard, number) => [`tensor.${number}`, shard])),
});

test.each<[string, Files, string[]]>([
	[
		'safetensors win over bin',
		{'config.json': {}, 'model.safetensors': 0, 'pytorch_model.bin': 0},
		['config.json', 'model.safetensors'],
	],
	[
		'bin is taken where there are no safetensors',
		{'config.json': {}, 'pytorch_model.bin': 0, 'tf_model.h5': 0, 'model.gguf': 0},
		['config.json', 'pytorch_model.bin'],
	],
	[
		'shards are those of the index',
		{
			'config.json': {},
			'model.safetensors.index.json': index('a.safetensors', 'b.safetensors', 'a.safetensors'),
			'a.safetensors': 0,
			'b.safetensors': 0,
			'c.safetensors': 0,
			'pytorch_model.bin': 0,
		},
		['config.json', 'model.safetensors.index.json', 'a.safetensors', 'b.safetensors'],
	],
	[
		'modules lie where modules.json says',
		{
			'modules.json': [{path: '0_Transformer'}, {path: './1_Pooling/'}, {path: '2_Dense'}],
			'0_Transformer/config.json': {},
			'0_Transformer/model.safetensors': 0,
			'1_Pooling/config.json': 0,
			'2_Dense/config.json': 0,
			'2_Dense/pytorch_model.bin': 0,
			'3_Other/config.json': 0,
			'model.safetensors': 0,
		},
		[
			...['modules.json', '0_Transformer/config.json', '0_Transformer/model.safetensors'],
			...['1_Pooling/config.json', '2_Dense/config.json', '2_Dense/pytorch_model.bin'],
		],
	],
	[
		'an adapter is taken with its configuration',
		{'adapter_config.json': 0, 'adapter_model.safetensors': 0, 'adapter_model.bin': 0},
		['adapter_config.json', 'adapter_model.safetensors'],
	],
	[
		'code comes along where the configuration names it',
		{'config.json': {auto_map: {}}, 'model.safetensors': 0, 'modeling.py': 0},
		['config.json', 'model.safetensors', 'modeling.py'],
	],
])('%s', async (_, files, chosen) => {
	expect(await choose(files)).toEqual({files: chosen, missing: []});
});

test.each<[string, Files, string[]]>([
	['the weights', {'config.json': {}, 'model.onnx': 0}, ['model.safetensors']],
	['the configuration', {'model.safetensors': 0}, ['config.json']],
	[
		'a shard',
		{'config.json': {}, 'pytorch_model.bin.index.json': index('a.bin', '../b.bin'), 'a.bin': 0},
		['../b.bin'],
	],
])('%s may be missing', async (_, files, missing) => {
	expect((await choose(files)).missing).toEqual(missing);
});
