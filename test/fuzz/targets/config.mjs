// The config.json of a model: from bytes to the spec that a family makes of it.

import {familyConfig, parseJsonObject} from '../../../dist/model/config.js';
import {families} from '../../../dist/model/families/index.js';
import {hold, place, refusing} from '../property.mjs';

const codes = ['MODEL_CONFIG'];

export function run(bytes) {
	const config = refusing(codes, () => parseJsonObject(bytes, place));
	if (config === undefined) return;
	const named = families.filter(({modelTypes}) => modelTypes.includes(config['model_type']));
	// What the folder would refuse as unknown is read by some family instead.
	if (named.length === 0) named.push(families[bytes.length % families.length]);
	for (const family of named) {
		const reader = familyConfig(config, place);
		const spec = refusing(codes, () => family.spec(reader));
		const dropout = refusing(codes, () => family.dropout(reader));
		if (spec !== undefined) expectSpec(spec);
		if (dropout === undefined) continue;
		hold(
			Object.values(dropout).every(rate => rate >= 0),
			'rates are numbers from 0',
		);
	}
}

function expectSpec(spec) {
	hold(isCount(spec.width) && spec.width > 0, 'the width is a count');
	hold(spec.blocks.length > 0 && spec.blocks.length <= 4096, 'there are blocks, and not too many');
	const parts = [spec];
	for (const part of parts) {
		for (const value of Object.values(part)) {
			if (typeof value === 'number') hold(Number.isFinite(value), 'numbers of a spec are finite');
			else if (typeof value === 'object' && value !== null && parts.length < 200) parts.push(value);
		}
	}
}

function isCount(value) {
	return Number.isSafeInteger(value) && value >= 0;
}

export const json = {text: bytes => bytes.toString('utf8'), bytes: text => Buffer.from(text)};

const bert = {
	...{model_type: 'bert', hidden_size: 8, num_attention_heads: 2, intermediate_size: 16},
	...{hidden_act: 'gelu', vocab_size: 32, max_position_embeddings: 16, type_vocab_size: 2},
	...{num_hidden_layers: 2, layer_norm_eps: 1e-12, hidden_dropout_prob: 0.1},
	...{attention_probs_dropout_prob: 0.1, is_decoder: false, position_embedding_type: 'absolute'},
};

export const words = [...families.flatMap(({modelTypes}) => modelTypes), ...Object.keys(bert)];

export const seeds = [
	JSON.stringify(bert),
	...families.map(({modelTypes}) => JSON.stringify({...bert, model_type: modelTypes[0]})),
];
