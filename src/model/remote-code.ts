// What sentence-transformers cannot open without running a model's own code. That code is never run here:
// files of it are data, which a saved model takes along, and the need for it is said before work begins.

import {readdir} from 'node:fs/promises';
import {isObject, type JsonObject} from './config.js';

export type RemoteCode = {
	/** Why a saved model does not open in sentence-transformers as it is. */
	reason: string;
	/** Names of the files of code beside the configuration. */
	files: readonly string[];
};

/** Configurations that transformers opens as another model, or not at all, and why. */
const strangers: readonly (readonly [is: (config: JsonObject) => boolean, why: string])[] = [
	[({model_type: type}) => type === 'new', 'transformers has no model_type "new"'],
	[
		config => config['model_type'] === 'nomic_bert' && 'n_embd' in config,
		'transformers has a nomic_bert, but reads none whose width is called "n_embd"',
	],
	[
		config => config['model_type'] === 'bert' && config['position_embedding_type'] === 'alibi',
		'transformers has a bert, but none with "position_embedding_type" of "alibi"',
	],
];

/** Null: transformers opens the model by itself. */
export async function readRemoteCode(
	folder: string,
	config: JsonObject,
): Promise<RemoteCode | null> {
	const map = isObject(config['auto_map']) ? config['auto_map'] : {};
	const name = [map['AutoModel'] ?? map['AutoConfig']].flat()[0];
	if (typeof name !== 'string') {
		const why = strangers.find(([is]) => is(config))?.[1];
		const reason = `${why}, and config.json names no code for it in "auto_map"`;
		return why === undefined ? null : {reason, files: []};
	}
	if (name.includes('--')) return {reason: needOf(name.replace('--', ': ')), files: []};
	const files = (await readdir(folder)).filter(file => file.endsWith('.py'));
	const file = `${name.split('.')[0]}.py`;
	const where = files.includes(file)
		? `${file}, which is copied and never run here`
		: `${file}, which is not in the folder and has to be put there`;
	return {reason: needOf(`${name} of ${where}`), files};
}

function needOf(name: string): string {
	return `it needs trust_remote_code=True, since config.json names the code ${name}`;
}

/** What to say before work begins whose result is saved. */
export function saveWarning(reason: string): string {
	return `what is saved will not open in sentence-transformers as it is: ${reason}`;
}
