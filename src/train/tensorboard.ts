// The log of a run as TensorBoard reads it: one event file in a folder, which a resumed run goes on with.

import {appendFile, mkdir, readdir, readFile, rename, rm} from 'node:fs/promises';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {type ReadEvent, readEvents, scalarRecord, versionRecord} from '../files/event-records.js';
import {writeFailure} from '../files/failures.js';
import {writeFileAtomic} from '../files/output.js';
import {giveTurn} from '../pace.js';
import type {EvaluationMetrics, Progress, RunLog, StepMetrics} from './metrics-log.js';

/** What tells our event files from those of others. */
const ending = '.inbatch';

export class TensorBoardLog implements RunLog {
	readonly #folder: string;
	#path = '';

	private constructor(folder: string) {
		this.#folder = folder;
	}

	/** Refuses a folder with events of another run, unless they may be replaced or gone on with. */
	static async open(folder: string, {mayReplace}: {mayReplace: boolean}): Promise<TensorBoardLog> {
		const [found] = await eventFiles(folder);
		if (found === undefined || mayReplace) return new TensorBoardLog(folder);
		const message = `${folder}: expected no events there, got ${found}; use another folder or --overwrite`;
		throw new EngineError('OUTPUT_EXISTS', message);
	}

	/** Begins anew, or keeps the events up to the step that the run goes on from. */
	async start(progress: Progress): Promise<void> {
		const {step} = progress;
		try {
			await mkdir(this.#folder, {recursive: true});
			const names = await eventFiles(this.#folder);
			const kept = step === null ? undefined : names.at(-1);
			for (const name of names) {
				if (name !== kept) await rm(join(this.#folder, name), {force: true});
			}
			this.#path = join(this.#folder, freshName());
			if (kept === undefined) return await writeFileAtomic(this.#path, versionRecord(seconds()));
			const before = join(this.#folder, kept);
			const file = await readFile(before);
			await writeFileAtomic(before, await keptEvents(file, progress));
			// Under a new name, so that who reads the old one does not go on in its middle.
			await rename(before, this.#path);
		} catch (error) {
			throw writeFailure(this.#folder, error);
		}
	}

	async append(metrics: StepMetrics | EvaluationMetrics): Promise<void> {
		const scalars = 'evaluation' in metrics ? scalarsOfEvaluation(metrics) : scalarsOfStep(metrics);
		const record = scalarRecord({wallTime: seconds(), step: metrics.step, scalars});
		try {
			await appendFile(this.#path, record);
		} catch (error) {
			throw writeFailure(this.#path, error);
		}
	}

	async discard(): Promise<void> {
		if (this.#path !== '') await rm(this.#path, {force: true});
	}
}

/** Our event files, the oldest first. */
async function eventFiles(folder: string): Promise<string[]> {
	const names = await readdir(folder).catch(() => []);
	return names
		.filter(name => name.startsWith('events.out.tfevents.') && name.endsWith(ending))
		.sort();
}

function freshName(): string {
	const begun = String(Math.floor(seconds())).padStart(10, '0');
	return `events.out.tfevents.${begun}.${hostname()}.${process.pid}.0${ending}`;
}

function seconds(): number {
	return Date.now() / 1000;
}

/**
The events up to a checkpoint. Evaluations since the newest that it knows of were asked for, but for one
of its own step that comes again.
*/
async function keptEvents(file: Buffer, progress: Progress): Promise<Buffer> {
	const {step, evaluated, isEvaluationLeft} = progress;
	const last = step ?? -1;
	const isLeft = (tags: readonly string[]) => isEvaluationLeft && tags[0]?.startsWith('eval/');
	const isKept = ({step: own, tags}: ReadEvent) =>
		own <= (isLeft(tags) ? Math.max(evaluated ?? -1, last - 1) : last);
	const kept: Buffer[] = [];
	for (const event of readEvents(file)) {
		await giveTurn();
		if (event.tags.length === 0 || isKept(event)) kept.push(file.subarray(event.begin, event.end));
	}
	return kept.length === 0 ? versionRecord(seconds()) : Buffer.concat(kept);
}

/** Names that users of transformers know; all others as in metrics.jsonl. */
const known: Readonly<Record<string, string>> = {
	learningRate: 'learning_rate',
	gradientNorm: 'grad_norm',
};

const groups: Readonly<Record<string, string>> = {
	gradientNorms: 'gradient_norm',
	weightNorms: 'weight_norm',
};

/** `train/loss` and so on; numbers of a group under its name. What is null is not there. */
function scalarsOfStep({step: _, ...metrics}: StepMetrics): Record<string, number> {
	const scalars: Record<string, number> = {};
	const add = (name: string, value: unknown) => {
		if (typeof value === 'number') scalars[name] = value;
		else if (typeof value === 'object' && value !== null) {
			for (const [key, each] of Object.entries(value)) add(`${name}/${snakeCase(key)}`, each);
		}
	};
	for (const [key, value] of Object.entries(metrics)) {
		add(groups[key] ?? `train/${known[key] ?? snakeCase(key)}`, value);
	}
	return scalars;
}

/** `eval/<name>_<metric>`, as transformers calls them. */
function scalarsOfEvaluation({evaluation}: EvaluationMetrics): Record<string, number> {
	const entries = Object.entries(evaluation).flatMap(([name, metrics]) =>
		Object.entries(metrics).map(([metric, value]) => [`eval/${name}_${metric}`, value] as const),
	);
	return Object.fromEntries(entries);
}

function snakeCase(name: string): string {
	return name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}
