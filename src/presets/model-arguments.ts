// What programs built on transformers call the model and its parts.

import {maps, refused, type Table} from './table.js';

export const modelArguments: Table = {
	model_name_or_path: maps('text', values => ({model: values.text('model_name_or_path')})),
	config_name: refused('text', 'the configuration is that of the model folder'),
	tokenizer_name: {
		kind: 'text',
		refused(values) {
			const name = values.text('tokenizer_name');
			const isOwn = name === undefined || name === values.text('model_name_or_path');
			return isOwn ? undefined : 'the tokenizer is that of the model folder';
		},
	},
	cache_dir: maps('text', values => ({cache: values.text('cache_dir')})),
};
