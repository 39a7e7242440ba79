// Settings files of RAG-Retrieval as data: they name a file of texts and, for distillation, a
// headerless float32 file of a teacher's vectors with its width. All else in them is for options
// to say.

import {access} from 'node:fs/promises';
import {dirname, isAbsolute, join, resolve} from 'node:path';
import {parse} from 'yaml';
import {EngineError, kindOf} from '../errors.js';
import {readHead} from '../files/pieces.js';

/** A teacher's vectors that belong to the records of one file. */
export interface VectorsFile {
	path: string;
	width: number;
}

export interface DistillSettings {
	data: string;
	teacher?: VectorsFile;
	/** Settings that are not used here. */
	unused: string[];
}

const longest = 2 ** 16;
const widthNames = ['teacher_embedding_dim', 'teacher_emebedding_dim', 'teatch_emebedding_dim'];

/** The settings in a file; nothing for any other file. */
export async function readDistillSettings(path: string): Promise<DistillSettings | undefined> {
	const head = await readHead(path, longest);
	const text = head.toString('utf8');
	if (head.length === longest || !/^[\s{]*["']?train_dataset["']?\s*:/m.test(text)) return;
	const settings = parsed(text, path);
	const data = await placeOf(path, stringOf(settings, 'train_dataset', path));
	const unused = Object.keys(settings).filter(
		name => !['train_dataset', 'train_dataset_vec', ...widthNames].includes(name),
	);
	if (settings['train_dataset_vec'] === undefined) return {data, unused};
	const vectors = await placeOf(path, stringOf(settings, 'train_dataset_vec', path));
	return {data, teacher: {path: vectors, width: widthOf(settings, path)}, unused};
}

function parsed(text: string, path: string): Record<string, unknown> {
	const value = yamlOf(text, path);
	if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
		return value as Record<string, unknown>;
	}

	return refuse(path, 'settings by name', kindOf(value));
}

function yamlOf(text: string, path: string): unknown {
	try {
		return parse(text, {maxAliasCount: 0});
	} catch (error) {
		const reason = error instanceof Error ? error.message.split('\n')[0]! : '';
		return refuse(path, 'settings in YAML or JSON', `other text (${reason})`);
	}
}

function stringOf(settings: Record<string, unknown>, name: string, path: string): string {
	const value = settings[name];
	if (typeof value === 'string' && value !== '') return value;
	return refuse(path, `"${name}" to be a path`, kindOf(value));
}

function widthOf(settings: Record<string, unknown>, path: string): number {
	const name = widthNames.find(each => settings[each] !== undefined) ?? widthNames[0]!;
	const width = settings[name];
	if (typeof width === 'number' && Number.isSafeInteger(width) && width > 0) return width;
	const got = typeof width === 'number' ? `${width}` : kindOf(width);
	return refuse(path, `"${name}" to be the columns of the vectors, a whole number above 0`, got);
}

/** A path counts from the folder of the settings, or as it does there, from where one works. */
async function placeOf(settings: string, path: string): Promise<string> {
	if (isAbsolute(path)) return path;
	const beside = join(dirname(settings), path);
	const isBeside = await access(beside).then(
		() => true,
		() => false,
	);
	return isBeside ? beside : resolve(path);
}

function refuse(path: string, expected: string, got: string): never {
	throw new EngineError('FILE_FORMAT', `${path}: expected ${expected}, got ${got}`);
}
