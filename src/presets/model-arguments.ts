// What programs built on transformers call the model and its parts.

import {refused, renamed, type Table} from './table.js';

export const modelArguments: Table = {
	model_name_or_path: renamed('text', 'model'),
	config_name: refused('text', 'the configuration is that of the model folder'),
	tokenizer_name: {
		kind: 'text',
		refused(values) {
			const name = values.text('tokenizer_name');
			const isOwn = name === undefined || name === values.text('model_name_or_path');
			return isOwn ? undefined : 'the tokenizer is that of the model folder';
		},
	},
	cache_dir: renamed('text', 'cache'),
};
