// How a model folder that cannot be used is refused: with a code and a sentence, and nothing else.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {temporaryFolder} from '../files/folder.js';
import {bert, type Files, load, modelFolder, oldShape} from './folders.js';

const {folder} = temporaryFolder();
let made = 0;
const place = () => join(folder, `model-${made++}`);
const config = JSON.parse(readFileSync(join(bert, 'config.json'), 'utf8')) as object;

describe('a folder is refused when', () => {
	const modules = (...list: object[]) => ({...oldShape, 'modules.json': list});
	const chain = oldShape['modules.json'] as object[];
	const [transformer, pooling, normalize] = chain as [object, object, object];
	const at = (path: string) => ({...pooling, path});
	const pools = (config: object) => ({...oldShape, '1_Pooling/config.json': config});
	const has = (change: object) => ({...oldShape, 'config.json': {...config, ...change}});
	const dense = (config: object): Files => ({
		...modules(transformer, pooling, {
			...{idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense'},
		}),
		'2_Dense/config.json': config,
	});

	test.each([
		['it has no configuration', {'config.json': null}, 'MODEL_NOT_FOUND', /config\.json: expected/],
		['its configuration is cut', {'config.json': '{"model'}, 'MODEL_CONFIG', /expected JSON/],
		['its configuration is a list', {'config.json': []}, 'MODEL_CONFIG', /got an array/],
		['its family is not known', has({model_type: 'gpt9'}), 'MODEL_FAMILY', /of bert.*got "gpt9"/],
		['it names no family', has({model_type: undefined}), 'MODEL_FAMILY', /got undefined/],
		['a size is missing', has({hidden_size: undefined}), 'MODEL_CONFIG', /"hidden_size".*nothing/],
		['a size is a text', has({hidden_size: '64'}), 'MODEL_CONFIG', /"hidden_size".*got "64"/],
		['a size is below 1', has({num_hidden_layers: 0}), 'MODEL_CONFIG', /from 1 to 4096, got 0/],
		['it has a billion blocks', has({num_hidden_layers: 1e9}), 'MODEL_CONFIG', /from 1 to 4096/],
		[
			'heads do not divide the width',
			has({num_attention_heads: 5}),
			'MODEL_CONFIG',
			/config\.json: .*heads/,
		],
		['an activation is not known', has({hidden_act: 'snake'}), 'MODEL_CONFIG', /gelu, relu/],
		['a rate is a text', has({hidden_dropout_prob: '1'}), 'MODEL_CONFIG', /hidden_dropout_prob/],
		['it is a decoder', has({is_decoder: true}), 'MODEL_CONFIG', /"is_decoder".*got true/],
		[
			'its positions are of another kind',
			has({position_embedding_type: 'relative_key'}),
			...(['MODEL_CONFIG', /"absolute" \(others are not supported\)/] as const),
		],
		['it does not say how it pools', {}, 'MODEL_POOLING', /choose one of cls, mean, last/],
		[
			'it pools in two ways',
			pools({pooling_mode_cls_token: true, pooling_mode_mean_tokens: true}),
			...(['MODEL_POOLING', /got cls \+ mean/] as const),
		],
		[
			'it pools by a list of two',
			pools({pooling_mode: ['cls', 'max']}),
			'MODEL_POOLING',
			/cls \+ max/,
		],
		['it pools in no way', pools({}), 'MODEL_POOLING', /got none/],
		['it pools in an unknown way', pools({pooling_mode: 'toString'}), 'MODEL_POOLING', /toString/],
		[
			'pooling says nothing',
			{...oldShape, '1_Pooling/config.json': null},
			'MODEL_CONFIG',
			/no file/,
		],
		[
			'it pools twice',
			modules(transformer, pooling, pooling),
			'MODEL_MODULE',
			/once .*got another/,
		],
		['nothing pools', modules(transformer, normalize), 'MODEL_MODULE', /got Normalize without it/],
		[
			'the transformer comes twice',
			modules(transformer, transformer),
			'MODEL_MODULE',
			/first and once/,
		],
		[
			'the transformer is not first',
			modules(pooling, transformer),
			'MODEL_MODULE',
			/first and once/,
		],
		[
			'its modules are an object',
			{...oldShape, 'modules.json': {}},
			'MODEL_MODULE',
			/got an object/,
		],
		['it has no modules', modules(), 'MODEL_MODULE', /expected a list of modules/],
		['a module is a number', {...oldShape, 'modules.json': [5]}, 'MODEL_MODULE', /got a number/],
		[
			'a module needs remote code',
			modules(transformer, {...pooling, type: 'my_code.Pooling'}),
			...([
				'MODEL_MODULE',
				/got my_code\.Pooling, which needs remote code; it is never run/,
			] as const),
		],
		[
			'a module is not known',
			modules(transformer, pooling, {...pooling, type: 'sentence_transformers.models.CNN'}),
			...(['MODEL_MODULE', /got sentence_transformers\.models\.CNN/] as const),
		],
		['a path leaves it', modules(transformer, at('../bert')), 'MODEL_MODULE', /inside the folder/],
		['a path is absolute', modules(transformer, at('/etc')), 'MODEL_MODULE', /got \/etc/],
		['a path leaves it late', modules(transformer, at('a/../../b')), 'MODEL_MODULE', /inside the/],
		[
			'a layer does not fit',
			dense({in_features: 32, out_features: 8}),
			...(['MODEL_CONFIG', /in_features of 64, got 32/] as const),
		],
		['a layer has no sizes', dense({}), 'MODEL_CONFIG', /expected in_features, out_features/],
		[
			'the activation of a layer is not known',
			dense({in_features: 64, out_features: 8, activation_function: 'os.system'}),
			...(['MODEL_CONFIG', /activation_function of .*Tanh.*got os\.system/] as const),
		],
		[
			'a layer has no weights',
			dense({in_features: 64, out_features: 8}),
			...(['MODEL_NOT_FOUND', /2_Dense\/model\.safetensors/] as const),
		],
		[
			'it has no tokenizer',
			{...oldShape, 'tokenizer.json': null, 'vocab.txt': null},
			...(['TOKENIZER_MISSING', /expected tokenizer\.json or vocab\.txt/] as const),
		],
		[
			'its tokenizer is cut',
			{...oldShape, 'tokenizer.json': '{'},
			'TOKENIZER_INVALID',
			/tokenizer\.json/,
		],
		[
			'its length is a text',
			{...oldShape, 'tokenizer_config.json': {model_max_length: 'all'}},
			...(['TOKENIZER_INVALID', /model_max_length/] as const),
		],
	] as [string, Files, string, RegExp][])('%s', async (_, files, code, message) => {
		await expect(load(modelFolder(place(), files))).rejects.toMatchObject({
			code,
			message: expect.stringMatching(message),
		});
	});

	test('it is not there', async () => {
		await expect(load(join(folder, 'nowhere'))).rejects.toMatchObject({code: 'MODEL_NOT_FOUND'});
		await expect(load('sentence-transformers/none')).rejects.toMatchObject({
			code: 'MODEL_NOT_FOUND',
			message: expect.stringContaining('download the model first'),
		});
	});

	test.each([0, 131, 1.5])('texts of up to %d tokens are asked for', async maxLength => {
		await expect(load(bert, {pooling: 'mean', maxLength})).rejects.toMatchObject({
			code: 'OPTION_RANGE',
			message: `max-length: expected 1 to 130, the positions of the model, got ${maxLength}`,
		});
	});
});
