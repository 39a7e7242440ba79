// Runs documented commands of other systems behind `train --preset`, as they are written but for names
// of models and files, and looks at what they leave.

import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {expect} from 'vitest';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {type Ended, inbatch, type Settings, temporaryFolder} from './command-line.js';

/** The words of a command as a shell splits it: blanks, quotes, backslashes at ends of lines. */
export function wordsOf(command: string): string[] {
	const words = command.replaceAll('\\\n', ' ').matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g);
	return [...words].map(([word]) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'));
}

/** The translated command, as it is shown. */
export function shownIn({stderr}: Ended): string {
	return /^inbatch (train .*)$/m.exec(stderr)?.[1] ?? '';
}

/** A command, with options of ours behind it. */
export function documented(
	preset: string,
	command: string,
	own: readonly string[] = [],
	settings: Settings = {},
): Promise<Ended> {
	return inbatch(['train', '--preset', preset, ...wordsOf(command), ...own], settings);
}

export const lines = (rows: readonly object[]) =>
	rows.map(row => `${JSON.stringify(row)}\n`).join('');

/** The files that other systems have as examples, where they are at hand. */
export const seeds = process.env.INBATCH_SHARED;
export const seed = (...names: string[]) => resolve(seeds ?? '', 'data', 'seed_examples', ...names);

export const numbers = Array.from({length: 10}, (_, n) => n);

/** Ten made records. */
export const triplets = numbers.map(n => ({
	query: `query ${n}`,
	pos: [`positive ${n}`, `another ${n}`],
	neg: Array.from({length: 3}, (_, k) => `negative ${k} of ${n}`),
}));

/** How many texts a model folder encodes, of one. */
export async function encodes(path: string): Promise<number> {
	const model = await EmbeddingModel.load(path);
	const {rows} = await model.encode(['what is the age of the union']);
	await model.dispose();
	return rows;
}

/** A folder for the runs of one file of tests. */
export function runs() {
	const folder = temporaryFolder();
	const at = (...names: string[]) => join(folder, ...names);
	const put = (name: string, content: string | Uint8Array) => {
		mkdirSync(dirname(at(name)), {recursive: true});
		writeFileSync(at(name), content);
		return at(name);
	};
	const metricsOf = (...names: string[]) =>
		readFileSync(at(...names, 'metrics.jsonl'), 'utf8')
			.trimEnd()
			.split('\n')
			.map(line => JSON.parse(line) as Record<string, number>);
	/** Runs the command that a preset has shown, and compares weights and evaluations. */
	const expectSameBits = async (ended: Ended, output: string, model = ''): Promise<void> => {
		const words = wordsOf(shownIn(ended));
		const place = words.indexOf('--output') + 1;
		words[place] = `${words[place]}-again`;
		expect(await inbatch(words)).toMatchObject({code: 0});
		const weights = (name: string) => readFileSync(at(name, model, 'model.safetensors'));
		expect(weights(`${output}-again`).equals(weights(output))).toBe(true);
		const evaluations = (name: string) => metricsOf(name).map(({evaluation}) => evaluation);
		expect(evaluations(`${output}-again`)).toEqual(evaluations(output));
	};
	return {at, put, metricsOf, expectSameBits};
}
