// The list of families.

import type {Family} from '../spec.js';
import {albert} from './albert.js';
import {bert} from './bert.js';
import {distilbert} from './distilbert.js';
import {gemma3} from './gemma3.js';
import {gte} from './gte.js';
import {jina} from './jina.js';
import {llama, mistral, qwen2, qwen3} from './llama.js';
import {modernbert} from './modernbert.js';
import {mpnet} from './mpnet.js';
import {nomic} from './nomic.js';
import {roberta} from './roberta.js';
import {t5} from './t5.js';

/** Of several that cover one `model_type`, those that look closer come first. */
export const families: readonly Family[] = [
	jina,
	bert,
	roberta,
	distilbert,
	mpnet,
	albert,
	modernbert,
	nomic,
	gte,
	t5,
	llama,
	mistral,
	qwen2,
	qwen3,
	gemma3,
];
