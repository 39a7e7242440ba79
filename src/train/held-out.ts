// Validation loss: the loss of held-out rows in batches as in training, without dropout, and how often a
// query's own positive is the nearest of what it meets.

import {Tape} from '../autograd/tape.js';
import {type Dataset, openDataset} from '../data/dataset.js';
import {Rows} from '../data/rows.js';
import {sourcesOf} from '../data/sources.js';
import {EngineError} from '../errors.js';
import type {HubOptions} from '../hub/settings.js';
import {applyLoss} from '../loss/loss.js';
import {cancellable} from '../native.js';
import {giveTurn} from '../pace.js';
import {hitsIn} from './accuracy.js';
import {rowsOfTexts} from './batch.js';
import {columnsOf, firstRows} from './columns.js';
import {type Course, planCourse} from './epochs.js';
import type {EvaluationSource} from './evaluations.js';
import {expectHeldOutTeachers, heldOutTeacher} from './held-out-teacher.js';
import {expectSets} from './needs.js';
import type {TrainSettings} from './options.js';
import {type BatchSource, type Prepared, prepareStep} from './prepare.js';
import {readingOf} from './reading.js';
import {factsOn} from './row-facts.js';
import {failureOfHeldOut} from './short-memory.js';
import type {StepSettings} from './step.js';
import type {TeacherVectors} from './teacher-vectors.js';

/** What held-out rows share with the run. */
export type HeldOutOptions = Omit<BatchSource, 'rows' | 'teacher'> & {
	settings: TrainSettings;
	stepSettings: StepSettings;
	/** Where data sets of the hub come from. */
	hub: HubOptions | undefined;
	/** Columns of a teacher's vectors, where the loss learns from them. */
	teacherWidth: number | undefined;
	signal: AbortSignal | undefined;
};

export type HeldOutResult = {
	/** `loss`, and `accuracy` where queries meet others: the share whose own positive scores highest. */
	metrics: Record<string, number>;
	/** The loss of each batch, and for each query whether its own positive scores highest. */
	values: Record<string, number[]>;
};

export class HeldOut {
	readonly dataset: Dataset;
	/** A teacher's vectors of the rows, where the loss learns from them. */
	readonly teacher: TeacherVectors | undefined;
	readonly #course: Course;
	readonly #source: BatchSource;
	readonly #options: HeldOutOptions;

	private constructor({dataset, rows, teacher, course}: Opened, options: HeldOutOptions) {
		const {model, rules, guide, judgements} = options;
		this.dataset = dataset;
		this.teacher = teacher;
		this.#course = course;
		this.#options = options;
		this.#source = {model, rules, guide, judgements, rows, teacher};
	}

	/** Reads and checks the rows, and plans their batches: the same ones at every evaluation. */
	static async open(name: string, data: unknown, asked: HeldOutOptions): Promise<HeldOut> {
		const {settings, signal} = asked;
		const {loss} = asked.stepSettings;
		const stepSettings = {...asked.stepSettings, loss: loss.heldOut ?? loss};
		const options = {...asked, stepSettings};
		const {loss: measured} = stepSettings;
		const {needs = {}} = measured;
		const dataset = await openDataset(sourcesOf(data), {
			...readingOf(settings, measured, options.rules.prompts),
			hub: options.hub,
			name,
			signal,
		});
		let teacher: TeacherVectors | undefined;
		try {
			const names = dataset.files.map(file => file.name);
			expectSets(measured, names, {isHeldOut: true});
			const width = options.teacherWidth;
			teacher = await heldOutTeacher(name, dataset, {settings, loss: measured, width, signal});
			const accumulate = settings.accumulation === 'separate' ? 1 : settings.accumulate;
			const first = {maxRows: settings.evalLossRows, maxRowsChoice: 'first'} as const;
			const all = {...settings, accumulate, ...first};
			const rows = await Rows.select(dataset, all, {signal});
			// A row can wait for another batch only where the order is free.
			const whole = {order: 'shuffle', epochs: 1, dropLast: false} as const;
			const open = {steps: undefined, maxSteps: undefined, mixing: undefined};
			const once = {...all, ...whole, ...open};
			const course = await planCourse(rows, once, {...needs, signal});
			return new HeldOut({dataset, rows, teacher, course}, options);
		} catch (error) {
			await teacher?.close();
			await dataset.close();
			throw error;
		}
	}

	/** The means over all rows, at so many passes over the training data. */
	async measure(epoch: number): Promise<HeldOutResult> {
		const {stepSettings, signal} = this.#options;
		const losses: number[] = [];
		const hits: number[] = [];
		let rows = 0;
		let sum = 0;
		for await (const course of this.#course.from(1)) {
			const {loss} = stepSettings;
			const prepared = await prepareStep(this.#source, course, {loss, signal});
			const found = await lossOf(stepSettings, {...prepared, epoch}, signal).catch(
				(error: unknown) => {
					throw failureOfHeldOut(error);
				},
			);
			losses.push(found.loss);
			hits.push(...found.hits);
			rows += prepared.batch.rows;
			sum += found.loss * prepared.batch.rows;
		}
		const accuracy = hits.reduce((a, b) => a + b, 0) / hits.length;
		return {
			metrics: {loss: sum / rows, ...(hits.length > 0 && {accuracy})},
			values: {loss: losses, accuracy: hits},
		};
	}

	async close(): Promise<void> {
		await this.teacher?.close();
		await this.dataset.close();
	}
}

type Opened = {
	dataset: Dataset;
	rows: Rows;
	teacher: TeacherVectors | undefined;
	course: Course;
};

async function lossOf(
	{model, loss, parameters, seed}: StepSettings,
	{batch, facts, passes, epoch}: Prepared & {epoch: number},
	signal: AbortSignal | undefined,
): Promise<{loss: number; hits: number[]}> {
	const tape = Tape.on(model.computing);
	try {
		return await cancellable(signal, async canceller => {
			const embeddings = tape.empty(rowsOfTexts(batch, 0, batch.texts).count, model.width);
			const pass = {seed, step: 1, hidden: 0, attention: 0, keep: false};
			for (const {packed, tower, first, count} of batch.chunks) {
				const rows = rowsOfTexts(batch, first, count);
				const into = tape.own(embeddings.slice(rows.begin, rows.count));
				model.core.forward(packed, {...pass, tower}, into, canceller);
				await giveTurn(signal);
			}
			const columns = columnsOf(tape, embeddings, batch);
			const given = factsOn(tape, {...facts, epoch}, batch.rows);
			const value = applyLoss(tape, loss, {columns, ...given, parameters: parameters.on(tape)});
			const [number] = await tape.read(value);
			const count = batch.rows / passes;
			const sets = facts.sets?.slice(0, count);
			const seen = {columns: firstRows(tape, columns, count), ...(sets && {sets})};
			return {loss: number!, hits: await hitsIn(tape, loss, seen)};
		});
	} finally {
		tape.dispose();
	}
}

function expectRowsLimited({evalLossRows}: TrainSettings, sources: number): void {
	if (evalLossRows === undefined || sources > 0) return;
	const message = 'eval-loss-rows: expected --eval-loss beside it, got none';
	throw new EngineError('OPTION_CONFLICT', message);
}

/** The held-out rows of every source that has some, by its name. */
export async function openHeldOut(
	sources: readonly EvaluationSource[],
	options: HeldOutOptions,
): Promise<Map<string, HeldOut>> {
	const opened = new Map<string, HeldOut>();
	const heldOut = sources.flatMap(source => (source.kind === 'loss' ? [source] : []));
	const names = heldOut.map(({name}) => name);
	expectRowsLimited(options.settings, names.length);
	expectHeldOutTeachers(options.settings, names, options.stepSettings.loss);
	try {
		for (const {name, data} of heldOut) opened.set(name, await HeldOut.open(name, data, options));
		return opened;
	} catch (error) {
		for (const each of opened.values()) await each.close();
		throw error;
	}
}
