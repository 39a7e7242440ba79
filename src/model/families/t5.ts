// T5 1.0 and 1.1 (Raffel et al. 2020; Shazeer 2020), the encoder: rms norm before, one relative bias for all
// blocks, scores that are not scaled, no biases. GTR and sentence-T5 are such encoders.

import {
	activations,
	attention,
	blocks,
	embedding,
	type Family,
	type FamilyConfig,
	type MlpSpec,
	mlp,
	mostBlocks,
	rmsNorm,
	weightAndBias,
} from '../spec.js';

const layer = 'block.{i}.layer';
const noBias = {bias: false, outputBias: false};

/** `relu`, or `gated-gelu` of 1.1, which means the tanh approximation. */
function feedForward(config: FamilyConfig): Pick<MlpSpec, 'activation' | 'gate'> {
	const plain = Object.entries(activations).map(
		([name, activation]) => [name, {activation, gate: 'none'}] as const,
	);
	const gated = Object.entries({...activations, gelu: 'geluTanh'} as const).map(
		([name, activation]) => [`gated-${name}`, {activation, gate: 'first'}] as const,
	);
	return config.choice('feed_forward_proj', Object.fromEntries([...plain, ...gated]), 'relu');
}

export const t5: Family = {
	name: 't5',
	modelTypes: ['t5'],
	spec(config) {
		config.only('is_decoder', false);
		const width = config.size('d_model');
		const norms = {before: rmsNorm(config.number('layer_norm_epsilon', 1e-6))};
		const heads = config.size('num_heads');
		const headWidth = config.size('d_kv');
		const block = {
			attention: attention({heads, headWidth, scale: 1, norms, ...noBias}),
			mlp: mlp({width: config.size('d_ff'), norms, ...feedForward(config), ...noBias}),
		};
		return {
			width,
			longest: config.size('n_positions', {otherwise: 0, least: 0}),
			embedding: embedding({vocabulary: config.size('vocab_size'), width}),
			blocks: blocks(config.size('num_layers', {most: mostBlocks}), () => block),
			relativeBias: {
				buckets: config.size('relative_attention_num_buckets', {otherwise: 32}),
				furthest: config.size('relative_attention_max_distance', {otherwise: 128}),
			},
			finalNorm: norms.before,
		};
	},
	dropout(config) {
		const rate = config.number('dropout_rate', 0.1);
		return {hidden: rate, attention: rate};
	},
	starts(config) {
		config.only('initializer_factor', 1);
		const [width, headWidth] = [config.size('d_model'), config.size('d_kv')];
		const inputs: readonly [RegExp, number][] = [
			[/^shared\./, 1],
			[/\.q\.weight$/, width * headWidth],
			[/\.o\.weight$/, config.size('num_heads') * headWidth],
			[/\.wo\.weight$/, config.size('d_ff')],
		];
		const inputsOf = (file: string) => inputs.find(([name]) => name.test(file))?.[1] ?? width;
		return file => ({deviation: inputsOf(file) ** -0.5});
	},
	savedAs: file => (file === 'shared.weight' ? file : `encoder.${file}`),
	tensors: [
		...['shared.weight', 'embed_tokens.weight', 'decoder.embed_tokens.weight'].map(
			name => [name, 'embedding.tokens'] as const,
		),
		['block.0.layer.0.SelfAttention.relative_attention_bias.weight', 'relativeBias'],
		...weightAndBias(
			['q', 'k', 'v'].map(name => `${layer}.0.SelfAttention.${name}`),
			'blocks.{i}.attention.qkv',
		),
		...weightAndBias(`${layer}.0.SelfAttention.o`, 'blocks.{i}.attention.output'),
		...weightAndBias(`${layer}.0.layer_norm`, 'blocks.{i}.attention.before'),
		...weightAndBias(`${layer}.1.DenseReluDense.wi`, 'blocks.{i}.mlp.up'),
		...weightAndBias(
			['wi_0', 'wi_1'].map(name => `${layer}.1.DenseReluDense.${name}`),
			'blocks.{i}.mlp.up',
		),
		...weightAndBias(`${layer}.1.DenseReluDense.wo`, 'blocks.{i}.mlp.down'),
		...weightAndBias(`${layer}.1.layer_norm`, 'blocks.{i}.mlp.before'),
		...weightAndBias('final_layer_norm', 'final'),
	],
	prefixes: ['encoder.'],
	unused: [/^decoder\./, /^lm_head\./],
};
