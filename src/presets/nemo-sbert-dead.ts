// Keys of NeMo's configuration that change nothing here, with the reason that is said.

import {deadOptions, type Table} from './table.js';
import type {Value} from './values.js';

const architecture = 'the architecture is that of the model folder';
const tokenizer = 'the tokenizer is that of the model folder';
const devices =
	'one process trains here, with the batch that the documented processes make together';
const numbers = 'weights are kept in f32';
const pretraining = 'it belongs to pre-training, and nothing reads it';
const speed = 'it changes speed and memory only, which are kept otherwise here';
const logs = 'what is logged where is fixed: metrics.jsonl and the terminal';

/** Keys of a branch; none of them is read, so all are texts. */
const all = (why: string, branch: string, defaults: Readonly<Record<string, Value>>) =>
	deadOptions(why, 'text', defaults, branch);

export const nemoDeadOptions: Table = {
	...all('a run is named by its folder', '', {name: 'megatron_bert'}),
	...all(logs, 'trainer.', {logger: false, enable_checkpointing: false}),
	...all(devices, 'trainer.', {use_distributed_sampler: false}),
	...all('no model is tested in training', 'trainer.', {limit_test_batches: 500}),
	...all(speed, 'trainer.', {benchmark: false}),
	...all(speed, 'model.optim.', {capturable: false}),
	...all(logs, 'exp_manager.', {
		'wandb_logger_kwargs.project': null,
		'wandb_logger_kwargs.name': null,
		create_mlflow_logger: false,
		create_dllogger_logger: false,
		create_clearml_logger: false,
		create_neptune_logger: false,
		log_step_timing: true,
	}),
	...all('a start without checkpoints is a start', 'exp_manager.', {
		resume_ignore_no_checkpoint: true,
	}),
	...all('checkpoints are always written, as folders', 'exp_manager.', {
		create_checkpoint_callback: true,
		'checkpoint_callback_params.always_save_nemo': false,
		'checkpoint_callback_params.save_nemo_on_train_end': false,
		'checkpoint_callback_params.save_best_model': false,
		'checkpoint_callback_params.model_parallel_size':
			// biome-ignore lint/suspicious/noTemplateCurlyInString: as the file has it
			'${multiply:${model.tensor_model_parallel_size}, ${model.pipeline_model_parallel_size}}',
	}),
	...all(architecture, 'model.', {
		mcore_bert: true,
		max_position_embeddings: null,
		position_embedding_type: 'learned_absolute',
		num_layers: 24,
		hidden_size: 1024,
		ffn_hidden_size: 4096,
		num_attention_heads: 16,
		transformer_block_type: 'post_ln',
		add_pooler: true,
		add_lm_head: false,
		init_method_std: 0.02,
		kv_channels: null,
		apply_query_key_layer_scaling: false,
		normalization: 'layernorm',
		layernorm_epsilon: 1e-12,
		make_vocab_size_divisible_by: 128,
		num_tokentypes: 2,
		pre_process: true,
		post_process: true,
		bert_binary_head: true,
		megatron_legacy: false,
		attention_dropout: 0.1,
	}),
	...all(tokenizer, 'model.tokenizer.', {
		library: 'huggingface',
		type: null,
		model: null,
		vocab_file: null,
		merge_file: null,
	}),
	...all('model.data.hard_negatives_to_train is what is read', 'model.', {
		hard_negatives_to_train: 4,
	}),
	...all('the gradient is that of the loss over the whole batch', 'model.', {
		backprop_type: 'global',
	}),
	...all(numbers, 'model.', {
		native_amp_init_scale: 4294967296,
		native_amp_growth_interval: 1000,
		fp32_residual_connection: false,
		fp16_lm_cross_entropy: false,
		megatron_amp_O2: false,
	}),
	...all(devices, 'model.', {
		virtual_pipeline_model_parallel_size: null,
		grad_allreduce_chunk_size_mb: 125,
		grad_div_ar_fusion: false,
		gradient_as_bucket_view: true,
		sequence_parallel: false,
	}),
	...all(speed, 'model.', {
		use_cpu_initialization: false,
		onnx_safe: false,
		activations_checkpoint_method: null,
		activations_checkpoint_num_layers: null,
		num_micro_batches_with_partial_activation_checkpoints: null,
		activations_checkpoint_layers_per_pipeline: null,
	}),
	...all('the lengths are those of model.encoder_seq_length', 'model.data.', {seq_length: null}),
	...all('an index is kept beside the data, or in the cache', 'model.data.', {
		index_mapping_dir: null,
		data_impl: 'mmap',
		skip_warmup: true,
	}),
	...all('rows are read without loader processes', 'model.data.', {num_workers: 0}),
	...all(pretraining, 'model.data.', {
		splits_string: '900,50,50',
		reset_position_ids: false,
		reset_attention_mask: false,
		eod_mask_loss: false,
		masked_lm_prob: 0.15,
		short_seq_prob: 0.1,
	}),
};
