// Whether two runs are the same, bit for bit: what they logged of their steps and evaluations, and the weights
// that they left. The first difference of each kind is named.

import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {readSafetensorsHeader, readTensor} from '../files/safetensors.js';
import {giveTurn} from '../pace.js';

export type Difference =
	| {kind: 'metrics'; step: number; field: string; expected: unknown; got: unknown}
	| {kind: 'weights'; file: string; tensor: string; elements: number; different: number};

/** A folder of weights, and the log of the run that made them. */
export type RunTrace = {weights: string; log: string};

export type Compared = {
	/** Steps, evaluations and tensors that were compared. */
	steps: number;
	evaluations: number;
	tensors: number;
	/** The first of each kind. */
	differences: Difference[];
};

/** Compares up to a step; of the evaluation there only where both have one. */
export async function compareRuns(
	before: RunTrace,
	after: RunTrace,
	until: number,
): Promise<Compared> {
	const [expected, got] = await Promise.all([entriesIn(before.log), entriesIn(after.log)]);
	const keys = [...new Set([...expected.keys(), ...got.keys()])].filter(key => {
		const {step, isEvaluation} = placeOf(key);
		const isBoth = expected.has(key) && got.has(key);
		return step < until || (step === until && (!isEvaluation || isBoth));
	});
	keys.sort((a, b) => placeOf(a).step - placeOf(b).step);
	let first: Difference | undefined;
	for (const key of keys)
		first ??= differenceOf(placeOf(key).step, expected.get(key), got.get(key));
	const weights = await compareWeights(before.weights, after.weights);
	const evaluations = keys.filter(key => placeOf(key).isEvaluation).length;
	return {
		steps: keys.length - evaluations,
		evaluations,
		tensors: weights.tensors,
		differences: [first, weights.first].filter(each => each !== undefined),
	};
}

type Entry = Readonly<Record<string, unknown>>;

/** What depends on the clock and the process. */
const passing = ['rowsPerSecond', 'tokensPerSecond', 'peakMemoryBytes'];

/** The lines of a log by what they are of; an evaluation that somebody asked for is no part of the run. */
async function entriesIn(path: string): Promise<Map<string, Entry>> {
	const entries = new Map<string, Entry>();
	for (const line of (await readFile(path, 'utf8')).split('\n')) {
		await giveTurn();
		if (line === '') continue;
		const {step, requested, ...entry} = JSON.parse(line) as Entry;
		if (requested === true) continue;
		for (const name of passing) delete (entry as Record<string, unknown>)[name];
		entries.set(`${step} ${'evaluation' in entry}`, entry);
	}
	return entries;
}

function placeOf(key: string): {step: number; isEvaluation: boolean} {
	const [step, isEvaluation] = key.split(' ');
	return {step: Number(step), isEvaluation: isEvaluation === 'true'};
}

/** The first field that is not the same, by its path. */
function differenceOf(
	step: number,
	expected: unknown,
	got: unknown,
	path = '',
): Difference | undefined {
	if (JSON.stringify(expected) === JSON.stringify(got)) return undefined;
	const isBoth = [expected, got].every(each => typeof each === 'object' && each !== null);
	if (!isBoth) return {kind: 'metrics', step, field: path || 'step', expected, got};
	const [a, b] = [expected as Entry, got as Entry];
	for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
		const found = differenceOf(step, a[key], b[key], path ? `${path}.${key}` : key);
		if (found) return found;
	}
	return {kind: 'metrics', step, field: path || 'order', expected, got};
}

/** Every tensor of every weight file, byte by byte. */
async function compareWeights(
	before: string,
	after: string,
): Promise<{tensors: number; first: Difference | undefined}> {
	const names = new Set([...(await weightFiles(before)), ...(await weightFiles(after))]);
	let tensors = 0;
	let first: Difference | undefined;
	for (const file of [...names].sort()) {
		const [expected, got] = await Promise.all(
			[before, after].map(each => tableOf(join(each, file))),
		);
		for (const name of new Set([...expected!.keys(), ...got!.keys()])) {
			tensors++;
			const found = await compareTensor(name, file, [expected!.get(name), got!.get(name)]);
			first ??= found;
		}
	}
	return {tensors, first};
}

/** Weight files of a model folder and moments of a checkpoint; other checkpoints and links to them are left out. */
async function weightFiles(folder: string, within = ''): Promise<string[]> {
	const files: string[] = [];
	for (const entry of await readdir(join(folder, within), {withFileTypes: true})) {
		const name = join(within, entry.name);
		if (entry.isFile() && name.endsWith('.safetensors')) files.push(name);
		if (entry.isDirectory() && name !== 'checkpoints') {
			files.push(...(await weightFiles(folder, name)));
		}
	}
	return files;
}

type Read = () => Promise<Uint8Array>;

async function tableOf(path: string): Promise<Map<string, Read>> {
	const header = await readSafetensorsHeader(path).catch(() => undefined);
	const entries = [...(header?.tensors.values() ?? [])];
	return new Map(entries.map(entry => [entry.name, () => readTensor(path, entry)]));
}

const elementBytes = 4;

async function compareTensor(
	tensor: string,
	file: string,
	reads: readonly (Read | undefined)[],
): Promise<Difference | undefined> {
	const [a, b] = await Promise.all(
		reads.map(async read => (read ? Buffer.from(await read()) : undefined)),
	);
	if (a && b && a.equals(b)) return undefined;
	const elements = Math.ceil((a ?? b)!.length / elementBytes);
	let different = a && b && a.length === b.length ? 0 : elements;
	for (let at = 0; a && b && different < elements && at < a.length; at += elementBytes) {
		if (at % 2 ** 16 === 0) await giveTurn();
		const isSame = a.compare(b, at, at + elementBytes, at, at + elementBytes) === 0;
		different += isSame ? 0 : 1;
	}
	return {kind: 'weights', file, tensor, elements, different};
}
