// What a run is, and whether another one is the same: under anything else it cannot be gone on with.

import type {Dataset} from '../data/dataset.js';
import {EngineError} from '../errors.js';
import {isObject} from '../model/config.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import type {HeldOut} from './held-out.js';
import type {TrainSettings} from './options.js';

/** What belongs to a run beside model, settings and data. */
export type Recorded = {
	/** The loss as it is recorded. */
	lossRecord: unknown;
	evaluate: readonly string[];
	evaluators: object;
};

/** The facts that must stay. */
export function identityOf(
	model: EmbeddingModel,
	settings: TrainSettings,
	{lossRecord, evaluate, evaluators}: Recorded,
	{dataset, heldOut}: {dataset: Dataset; heldOut: ReadonlyMap<string, HeldOut>},
): Record<string, unknown> {
	const {maxLength, fingerprint, folder, computing} = model;
	const {pooling, normalize} = folder.spec.head;
	// Files are told by what they hold.
	const {memoryLimit: _, evalTeacherVectors: __, ...lasting} = settings;
	const identity = {
		...(computing.dtype !== 'f32' && {dtype: computing.dtype}),
		model: fingerprint,
		...lasting,
		loss: lossRecord,
		eval: evaluate,
		evalLoss: [...heldOut].map(([name, {dataset, teacher}]) => {
			return [name, dataset.files.map(hashOf), ...(teacher ? [teacher.sha256] : [])];
		}),
		evaluators: Object.keys(evaluators),
		maxLength,
		truncationSide: folder.truncationSide,
		pooling,
		normalize,
		data: dataset.files.map(file => ({...hashOf(file), set: setOf(dataset, file)})),
	};
	return JSON.parse(JSON.stringify(identity)) as Record<string, unknown>;
}

function hashOf({sha256, rows}: {sha256: string; rows: number}) {
	return {sha256, rows};
}

/** Files of one set may be called otherwise, as long as they stay one. */
function setOf({sets}: Dataset, {name}: {name: string}): number {
	return sets.findIndex(set => set.name === name);
}

/** The same files in the same order, wherever they lie; the first that differs is named. */
export function expectSameData(before: unknown, {files}: Dataset): void {
	const known = Array.isArray(before) ? before : [];
	const other = files.findIndex(({sha256}, n) => known[n]?.sha256 !== sha256);
	if (other < 0) return;
	throw new EngineError(
		'RESUME_CHANGED',
		`data: expected ${files[other]!.path} with sha256 ${known[other]?.sha256} as when the run began, ` +
			`got ${files[other]!.sha256}; give what it was, or start anew with --overwrite`,
	);
}

export function expectSame(before: unknown, now: unknown, place = ''): void {
	const text = (value: unknown) => JSON.stringify(value) ?? 'nothing';
	if (text(before) === text(now)) return;
	if (isObject(before) && isObject(now)) {
		for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
			expectSame(before[key], now[key], place ? `${place}.${key}` : key);
		}
	}
	throw new EngineError(
		'RESUME_CHANGED',
		`${place}: expected ${text(before)} as when the run began, got ${text(now)}; ` +
			'give what it was, or start anew with --overwrite',
	);
}
