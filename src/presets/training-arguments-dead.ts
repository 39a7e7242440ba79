// Options of transformers' TrainingArguments that change nothing here, with the reason that is said.

import {dead, deadOptions, type Table} from './table.js';

const speed = 'it changes speed and memory only, which are kept otherwise here';
const devices =
	'one process trains here, with the batch that the documented processes make together';
const loader = 'rows are read without loader processes';
const evaluation = 'the program evaluates nothing';
const hub = 'nothing is sent to the hub';
const logs = 'what is logged where is fixed: metrics.jsonl and the terminal';

export const deadArguments: Table = {
	...deadOptions(speed, 'boolean', {
		tf32: null,
		torch_compile: false,
		use_ipex: false,
		jit_mode_eval: false,
		use_liger_kernel: false,
		auto_find_batch_size: false,
		fp16_full_eval: false,
		bf16_full_eval: false,
		skip_memory_metrics: true,
		use_cache: false,
	}),
	...deadOptions(speed, 'text', {
		torch_compile_backend: null,
		torch_compile_mode: null,
		gradient_checkpointing_kwargs: null,
		activation_checkpointing_kwargs: null,
		half_precision_backend: 'auto',
		fp16_backend: 'auto',
		fp16_opt_level: 'O1',
		liger_kernel_config: null,
		torchdynamo: null,
	}),
	...deadOptions(speed, 'number', {torch_empty_cache_steps: null}),
	deepspeed: dead('text', 'its file is not read: batch, optimizer and rate are those of the flags'),
	...deadOptions(devices, 'text', {
		fsdp: '',
		fsdp_config: null,
		fsdp_transformer_layer_cls_to_wrap: null,
		fsdp_min_num_params: 0,
		sharded_ddp: '',
		ddp_backend: null,
		accelerator_config: null,
		parallelism_config: null,
		tpu_num_cores: null,
	}),
	...deadOptions(devices, 'number', {local_rank: -1, ddp_bucket_cap_mb: null, ddp_timeout: 1800}),
	...deadOptions(devices, 'boolean', {
		ddp_find_unused_parameters: null,
		ddp_broadcast_buffers: null,
		ddp_static_graph: null,
		dispatch_batches: null,
		split_batches: null,
		average_tokens_across_devices: true,
		save_on_each_node: false,
		log_on_each_node: true,
		use_mps_device: false,
	}),
	...deadOptions(loader, 'text', {dataloader_multiprocessing_context: null}),
	...deadOptions(loader, 'number', {dataloader_num_workers: 0, dataloader_prefetch_factor: null}),
	...deadOptions(loader, 'boolean', {
		dataloader_pin_memory: true,
		dataloader_persistent_workers: false,
		dataloader_in_order: true,
		remove_unused_columns: true,
		ignore_data_skip: false,
	}),
	...deadOptions(evaluation, 'number', {
		per_device_eval_batch_size: 8,
		eval_steps: null,
		eval_delay: 0,
		eval_accumulation_steps: null,
	}),
	...deadOptions(evaluation, 'boolean', {
		prediction_loss_only: false,
		greater_is_better: null,
		include_inputs_for_metrics: false,
		eval_do_concat_batches: true,
		batch_eval_metrics: false,
		eval_use_gather_object: false,
	}),
	...deadOptions(evaluation, 'list', {include_for_metrics: [], label_names: null}),
	...deadOptions(hub, 'text', {
		hub_model_id: null,
		hub_strategy: 'every_save',
		hub_token: null,
		hub_revision: null,
		push_to_hub_model_id: null,
		push_to_hub_organization: null,
		push_to_hub_token: null,
	}),
	...deadOptions(hub, 'boolean', {hub_private_repo: null, hub_always_push: false}),
	...deadOptions(logs, 'text', {
		run_name: null,
		log_level: 'passive',
		log_level_replica: 'warning',
		project: null,
		trackio_space_id: null,
		trackio_bucket_id: null,
		trackio_static_space_id: null,
		debug: '',
	}),
	...deadOptions(logs, 'boolean', {
		logging_first_step: false,
		logging_nan_inf_filter: true,
		disable_tqdm: null,
		include_tokens_per_second: false,
		include_num_input_tokens_seen: false,
	}),
	label_smoothing_factor: dead(
		'number',
		"it smooths labels of classes, which the program's loss has not",
		{
			default: 0,
		},
	),
	group_by_length: dead(
		'boolean',
		'texts are packed without padding, so no length has to be grouped',
		{
			default: false,
		},
	),
	length_column_name: dead('text', 'texts are packed without padding', {default: 'length'}),
	data_seed: dead('number', 'the order of the rows comes from seed'),
	full_determinism: dead('boolean', 'every run gives the same bits', {default: false}),
	save_safetensors: dead('boolean', 'weights are always written as safetensors', {default: true}),
	enable_jit_checkpoint: dead('boolean', 'a signal ends a run with a checkpoint in any case', {
		default: false,
	}),
	save_only_model: dead('boolean', 'a checkpoint always holds what --resume needs', {
		default: false,
	}),
	restore_callback_states_from_checkpoint: dead('boolean', 'all state is restored by --resume', {
		default: false,
	}),
	past_index: dead('number', 'no output of a model is carried on', {default: -1}),
	mp_parameters: dead('text', devices, {default: ''}),
	ray_scope: dead('text', 'no search over options is made', {default: 'last'}),
	optim_target_modules: dead('list', 'it belongs to GaLore, which is not offered'),
};
