// npm run bench -- <question> [--python PATH] [--seconds N] [--threads N] [--model FOLDER] [--data FILE] [--record FILE]
//
// Each question is a file beside this one and prints one table. Peers (PyTorch, onnxruntime, faiss) take
// turns with us in the same run when a Python that has them is named by --python or INBATCH_PYTHON.

import {basename} from 'node:path';
import {parseArgs} from 'node:util';
import {record} from './rounds.mjs';

const questions = [
	...['encode', 'int8', 'query', 'tokenize', 'start', 'train', 'threads', 'memory', 'data'],
	...['linear', 'attention', 'rows', 'in-batch', 'contrast', 'top-k', 'plan', 'quality', 'counts'],
];
const ofModels = new Set(['encode', 'int8', 'query', 'train', 'threads']);
const shared = process.env.INBATCH_SHARED ?? '../shared';

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		python: {type: 'string', default: process.env.INBATCH_PYTHON},
		seconds: {type: 'string', default: '20'},
		threads: {type: 'string'},
		record: {type: 'string'},
		run: {type: 'string'},
		model: {
			type: 'string',
			default: `${shared}/models/all-MiniLM-L6-v2`,
		},
		data: {type: 'string', default: `${shared}/data/squad/train.jsonl`},
	},
});
const [question] = positionals;
if (!questions.includes(question)) {
	console.error(`bench: expected one of ${questions.join(', ')}, got ${question ?? 'nothing'}`);
	process.exit(2);
}
record.file = values.record;
if (ofModels.has(question)) record.model = basename(values.model);
const {measure} = await import(`./${question}.mjs`);
await measure({
	...values,
	seconds: Number(values.seconds),
	threads: values.threads && Number(values.threads),
});
process.exit(0);
