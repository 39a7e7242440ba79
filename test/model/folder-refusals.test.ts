// How a model folder that cannot be used is refused: with a code and a sentence, and nothing else.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
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
	const models = 'sentence_transformers.models';
	const outer = (config: object) => ({...oldShape, 'config_sentence_transformers.json': config});
	const sentence = (config: object) => ({...oldShape, 'sentence_bert_config.json': config});
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
			/config\.json: .*(heads|headWidth)/,
		],
		['an activation is not known', has({hidden_act: 'snake'}), 'MODEL_CONFIG', /gelu, relu/],
		['a rate is a text', has({hidden_dropout_prob: '1'}), 'MODEL_CONFIG', /hidden_dropout_prob/],
		['it is a decoder', has({is_decoder: true}), 'MODEL_CONFIG', /"is_decoder".*got true/],
		[
			'its positions are of another kind',
			has({position_embedding_type: 'relative_key'}),
			...(['MODEL_CONFIG', /"absolute" \(others are not supported\)/] as const),
		],
		[
			'it does not say how it pools',
			{},
			'MODEL_POOLING',
			/choose one of cls, max, mean, mean_sqrt_len, weightedmean, last/,
		],
		[
			'it pools twice in one way',
			pools({pooling_mode: ['cls', 'max', 'cls']}),
			...(['MODEL_POOLING', /each once, got cls \+ max \+ cls/] as const),
		],
		[
			'it pools in a way of its own beside others',
			pools({pooling_mode_cls_token: true, pooling_mode_gem: true}),
			...(['MODEL_POOLING', /got cls \+ pooling_mode_gem/] as const),
		],
		['it pools in no way', pools({}), 'MODEL_POOLING', /got neither/],
		['it pools in a way that is null', pools({pooling_mode: null}), 'MODEL_POOLING', /got null/],
		[
			'it pools rows of another width',
			pools({pooling_mode: 'mean', embedding_dimension: 32}),
			...(['MODEL_CONFIG', /rows of 64 columns, got 32/] as const),
		],
		[
			'it pools rows of two widths',
			pools({pooling_mode: 'mean', embedding_dimension: 32, word_embedding_dimension: 64}),
			...(['MODEL_CONFIG', /"word_embedding_dimension" 64 and "embedding_dimension" 32/] as const),
		],
		[
			'it does not know whether to pool prompts',
			pools({pooling_mode: 'mean', include_prompt: 'no'}),
			...(['MODEL_CONFIG', /"include_prompt" to be true or false, got "no"/] as const),
		],
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
		['nothing pools', modules(transformer, normalize), 'MODEL_MODULE', /got Normalize before it/],
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
		[
			'a layer is over tokens',
			modules(transformer, {...pooling, type: 'sentence_transformers.models.Dense'}, pooling),
			...(['MODEL_MODULE', /expected Pooling, once and before the rest, got Dense/] as const),
		],
		[
			'rows are made unit length twice',
			modules(transformer, pooling, normalize, normalize),
			...(['MODEL_MODULE', /nothing after Normalize, got Normalize/] as const),
		],
		[
			'a layer follows rows of unit length',
			modules(transformer, pooling, normalize, {...pooling, type: `${models}.Dense`}),
			...(['MODEL_MODULE', /nothing after Normalize, got Dense/] as const),
		],
		[
			'a table pools once more',
			modules({...transformer, type: `${models}.StaticEmbedding`}, pooling),
			...(['MODEL_MODULE', /StaticEmbedding, which pools by itself.*got another/] as const),
		],
		[
			'a table is that of a transformer',
			modules({...transformer, type: `${models}.StaticEmbedding`}),
			...(['MODEL_TENSOR', /table embedding\.weight or embeddings, got /] as const),
		],
		[
			'it ranks pairs',
			{...oldShape, 'config_sentence_transformers.json': {model_type: 'CrossEncoder'}},
			...(['MODEL_MODULE', /got a CrossEncoder, which gives no embedding/] as const),
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
			...(['TOKENIZER_MISSING', /expected tokenizer\.json, vocab\.txt, /] as const),
		],
		[
			'its tokenizer is cut',
			{...oldShape, 'tokenizer.json': '{'},
			'TOKENIZER_INVALID',
			/tokenizer\.json/,
		],
		[
			'a layer adds what goes in',
			dense({in_features: 64, out_features: 64, use_residual: true}),
			...(['MODEL_MODULE', /without "use_residual"/] as const),
		],
		[
			'a layer reads the rows of tokens',
			dense({in_features: 64, out_features: 8, module_input_name: 'token_embeddings'}),
			...(['MODEL_MODULE', /"module_input_name" of "sentence_embedding"/] as const),
		],
		['its prompts are a list', outer({prompts: ['a']}), 'MODEL_CONFIG', /texts by name/],
		[
			'its default prompt is not there',
			outer({prompts: {a: 'b'}, default_prompt_name: 'c'}),
			...(['MODEL_CONFIG', /one of the prompts \(a\), got "c"/] as const),
		],
		['its width is no number', outer({truncate_dim: '8'}), 'MODEL_CONFIG', /truncate_dim/],
		[
			'its transformer scores words',
			sentence({transformer_task: 'fill-mask'}),
			...(['MODEL_MODULE', /"transformer_task" of feature-extraction, got fill-mask/] as const),
		],
		[
			'its transformer reads pictures only',
			sentence({modality_config: {image: {method: 'get_image_features'}}}),
			...(['MODEL_MODULE', /"method" of forward, got none for texts/] as const),
		],
		[
			'its rows are those of an earlier layer',
			sentence({modality_config: {text: {method_output_name: ['hidden_states', '-2']}}}),
			...(['MODEL_MODULE', /got hidden_states\.-2/] as const),
		],
		[
			'its longest text is no number',
			sentence({max_seq_length: '128'}),
			...(['MODEL_CONFIG', /whole number from 1, got "128"/] as const),
		],
		[
			'its texts are cut in the middle',
			sentence({tokenizer_args: {truncation_side: 'middle'}}),
			...(['MODEL_CONFIG', /right or left, got "middle"/] as const),
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

	const classes: [string, RegExp][] = [
		['models.CNN', /a convolution/],
		['models.LSTM', /a recurrent network/],
		['models.BoW', /a bag of words/],
		['models.WordEmbeddings', /a table of whole words/],
		['models.WordWeights', /weights of single words/],
		['models.CLIPModel', /a model of pictures and texts/],
		['sparse_encoder.modules.splade_pooling.SpladePooling', /sparse embeddings/],
		['multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask', /MultiVectorMask/],
		['models.constructor', /got sentence_transformers\.models\.constructor, which is not/],
	];

	test.each(classes)('a module is a %s', async (name, what) => {
		const type = `sentence_transformers.${name}`;
		for (const files of [
			modules({...transformer, type}),
			modules(transformer, {...pooling, type}),
		]) {
			await expect(load(modelFolder(place(), files))).rejects.toMatchObject({
				code: 'MODEL_MODULE',
				message: expect.stringMatching(what),
			});
		}
	});

	const [one, two] = ['0_Transformer', '1_Transformer'];
	const types = Object.fromEntries([one, two].map(id => [id, `${models}.Transformer`]));
	const routers: [string, object, RegExp][] = [
		[
			'routes of other names',
			{types, structure: {query: [one], other: [two]}},
			/expected routes that are all the same, or query and document, got query, other/,
		],
		['no routes', {types, structure: {}}, /"types" and "structure"/],
		['no types', {structure: {query: [one]}}, /"types" and "structure"/],
		['an empty route', {types, structure: {query: []}}, /got an empty route/],
		['a module without a type', {types: {}, structure: {query: [one]}}, /"type" and "path"/],
		[
			'remote code',
			{types: {[one]: 'my.Code'}, structure: {query: [one]}},
			/got my\.Code, which needs remote code/,
		],
		[
			'a module elsewhere',
			{types: {'../x': `${models}.Transformer`}, structure: {query: ['../x']}},
			/inside the folder, got \.\.\/x/,
		],
		[
			'a router within',
			{types: {'.': `${models}.Asym`}, structure: {query: ['.']}},
			/expected no sentence_transformers\.models\.Router within another/,
		],
	];

	test.each(routers)('its router has %s', async (_, config, message) => {
		const list = modules({...transformer, type: `${models}.Router`});
		const files = {...list, 'router_config.json': config};
		await expect(load(modelFolder(place(), files))).rejects.toMatchObject({
			code: 'MODEL_MODULE',
			message: expect.stringMatching(message),
		});
	});

	test('a table of embeddings is to be pooled in another way', async () => {
		const table = fileURLToPath(new URL('../fixtures/st-folders/static', import.meta.url));
		const tokenizer = readFileSync(join(bert, 'tokenizer.json'), 'utf8');
		const path = modelFolder(place(), {'tokenizer.json': tokenizer}, table);
		await expect(load(path, {pooling: 'cls'})).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
			message: 'pooling: expected mean, got cls; a StaticEmbedding pools by the mean',
		});
		const without = modelFolder(place(), {}, table);
		await expect(load(without)).rejects.toMatchObject({code: 'TOKENIZER_MISSING'});
	});

	test('it is not there', async () => {
		await expect(load(join(folder, 'nowhere'))).rejects.toMatchObject({code: 'MODEL_NOT_FOUND'});
	});

	test.each([0, 131, 1.5])('texts of up to %d tokens are asked for', async maxLength => {
		await expect(load(bert, {pooling: 'mean', maxLength})).rejects.toMatchObject({
			code: 'OPTION_RANGE',
			message: `max-length: expected 1 to 130, the positions of the model, got ${maxLength}`,
		});
	});
});
