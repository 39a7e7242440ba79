// One optimizer step: forward, loss on the whole batch, backward, update.
//
// A batch of one chunk is computed once. Of a larger one all chunks but the first run without keeping
// anything, then the first, kept; the loss sees all embeddings; backward takes the first chunk and
// repeats the forward of each other one. So a text is forwarded at most twice, one chunk's activations
// exist at a time, and since every sum over tokens is a chain in the order of the texts, the gradient of
// the parameters has the same bits for every chunk size.

import {Tape, type Variable} from '../autograd/tape.js';
import {applyLoss, type Column, type Loss, type SuspectPairs} from '../loss/loss.js';
import {metBy} from '../loss/needs.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import type {DropoutRates} from '../model/spec.js';
import {
	type Canceller,
	type ExtraParameter,
	type GradientNorm,
	native,
	type PassSettings,
	type Tensor,
	type UpdateSettings,
} from '../native.js';
import {giveTurn} from '../pace.js';
import {type Attack, underAttack} from './adversarial.js';
import {type Chunk, rowsOfTexts, type TrainingBatch} from './batch.js';
import {type Broken, brokenPart} from './broken.js';
import {columnsOf, firstRows} from './columns.js';
import type {Learned, LossParameters} from './loss-parameters.js';
import {type Nearness, nearnessOf} from './nearness.js';
import {type ModelParts, normsOf, type PartNorms, weightSquares} from './norms.js';
import {type Hardest, hardestOf} from './rivals.js';
import {factsOn, type RowFacts} from './row-facts.js';
import type {Found} from './suspects.js';

/** What a step asks of a model. */
export type StepModel = Pick<EmbeddingModel, 'core' | 'width'> & {
	computing: Pick<EmbeddingModel['computing'], 'native' | 'dtype'>;
};

export type StepSettings = {
	model: StepModel;
	loss: Loss;
	parameters: LossParameters;
	dropout: DropoutRates;
	/** Whether backward computes the activations of blocks again rather than keeping them. */
	recompute: boolean;
	/** Of a tower of documents; default: the same. */
	documentDropout?: DropoutRates | undefined;
	seed: number;
	/** Whether what masks suspect is wanted. */
	suspects: boolean;
	/** A second gradient, at weights moved against the model. */
	attack?: Attack | undefined;
};

export type StepResult = Nearness & {
	loss: number;
	/** Before clipping. */
	gradientNorm: number;
	/** Columns that a query meets, when the loss says so. */
	candidates: number | null;
	temperature: number | null;
	/** What else the loss said of the batch, by name: masked.<rule>, queue.<fact>. */
	reports: Readonly<Record<string, number>>;
	/** What masks suspect, where somebody wants to know. */
	suspects: readonly Found[];
	norms?: PartNorms | undefined;
	/** At moved weights, where the step is attacked. */
	adversarialLoss?: number | undefined;
	hardest?: Hardest | undefined;
	/** Where the loss or the norm is not finite: what first was not. Then nothing was changed. */
	broken?: Broken | undefined;
};

/** What is looked at beside what every step tells. */
export type Watched = {
	/** Norms of gradients and weights by these parts of the model. */
	norms?: ModelParts | undefined;
	/** The nearest text of each query that is not its own positive. */
	hardest?: boolean;
};

export type StepOptions = {
	signal?: AbortSignal | undefined;
	facts?: RowFacts;
	watched?: Watched;
	/** How often all rows stand in the batch; what is looked at is the first pass. */
	passes?: 1 | 2;
};

/** Runs one step; `update.step` counts from 1. Nothing is changed when the loss is not finite. */
export async function runStep(
	settings: StepSettings,
	batch: TrainingBatch,
	update: UpdateSettings,
	{signal, facts = {}, watched = {}, passes = 1}: StepOptions = {},
): Promise<StepResult> {
	signal?.throwIfAborted();
	const canceller = new (native().Canceller)();
	const stop = () => canceller.cancel();
	signal?.addEventListener('abort', stop, {once: true});
	const step = new Step(settings, batch, {update, canceller, passes});
	try {
		return await step.run(facts, watched);
	} catch (error) {
		signal?.throwIfAborted();
		throw error;
	} finally {
		signal?.removeEventListener('abort', stop);
		step.dispose();
	}
}

/** What is listened to while the loss computes. */
type Listening = {
	/** Whether the loss may add to its queue of documents. */
	push: boolean;
	onSuspects?: (found: SuspectPairs) => void;
};

type Doubted = Pick<Differentiated, 'columns' | 'learned'> & {
	value: number;
	reports: StepResult['reports'];
};

type Differentiated = {value: Variable; columns: Column[]; learned: Learned};

class Step {
	readonly #settings: StepSettings;
	readonly #batch: TrainingBatch;
	readonly #update: UpdateSettings;
	readonly #canceller: Canceller;
	readonly #tape: Tape;
	readonly #embeddings: Tensor;
	readonly #passes: 1 | 2;

	constructor(
		settings: StepSettings,
		batch: TrainingBatch,
		{update, canceller, passes}: {update: UpdateSettings; canceller: Canceller; passes: 1 | 2},
	) {
		this.#passes = passes;
		this.#settings = settings;
		this.#batch = batch;
		this.#update = update;
		this.#canceller = canceller;
		this.#tape = Tape.on(settings.model.computing);
		const {count: rows} = rowsOfTexts(batch, 0, batch.texts);
		this.#embeddings = this.#tape.empty(rows, settings.model.width);
	}

	async run(facts: RowFacts, watched: Watched): Promise<StepResult> {
		const {model, parameters, suspects} = this.#settings;
		const suspected: SuspectPairs[] = [];
		model.core.zeroGradients();
		const {value, columns, learned} = await this.#differentiate(facts, {
			push: true,
			...(suspects && {onSuspects: found => void suspected.push(found)}),
		});
		const adversarialLoss = await this.#underAttack(facts, learned);
		const extras = parameters.updates(learned);
		const watchedColumns = firstRows(this.#tape, columns, this.#batch.rows / this.#passes);
		// Before the update: a loss that is no number may have a gradient that is one.
		const [lossValue] = await this.#tape.read(value);
		const results = await Promise.all([
			watched.norms ? weightSquares(model.core, this.#tape, extras) : undefined,
			this.#updated(lossValue!, extras),
			nearnessOf(this.#tape, watchedColumns),
			this.#report('candidates'),
			this.#report('temperature'),
			this.#reports(),
			watched.hardest ? this.#hardest(watchedColumns) : undefined,
		]);
		const [weights, {norm: gradientNorm, squares: gradients}, nearness, ...others] = results;
		const [candidates, temperature, reports, hardest] = others;
		const isSound = Number.isFinite(lossValue) && Number.isFinite(gradientNorm);
		if (isSound) parameters.queue?.commit();
		const broken = isSound
			? undefined
			: await this.#broken({columns, learned, value: lossValue!, reports});
		const found = suspected.map(async each => ({
			...each,
			pairs: await this.#tape.read(each.pairs),
		}));
		return {
			loss: lossValue!,
			gradientNorm,
			...nearness,
			candidates,
			temperature,
			reports,
			suspects: await Promise.all(found),
			norms: watched.norms && weights && normsOf(watched.norms, {gradients, weights}),
			hardest,
			adversarialLoss,
			broken,
		};
	}

	/** The norm of the gradient; the weights stay where the loss is not finite, as where the norm is not. */
	async #updated(loss: number, extras: readonly ExtraParameter[]): Promise<GradientNorm> {
		if (!Number.isFinite(loss)) return {norm: Number.NaN, squares: new Float64Array()};
		return this.#settings.model.core.update(this.#update, extras, this.#canceller);
	}

	#broken({columns, learned, value, reports}: Doubted): Promise<Broken | undefined> {
		const {model, loss} = this.#settings;
		const parts = Object.entries(reports).flatMap(([name, report]) =>
			name.startsWith('losses.') ? [[name.slice('losses.'.length), report] as const] : [],
		);
		return brokenPart({
			core: model.core,
			tape: this.#tape,
			...{columns, learned},
			loss: {name: loss.name, value},
			parts: Object.fromEntries(parts),
		});
	}

	/** Adds the gradient of the batch at the weights as they are to that of the parameters. */
	async #differentiate(facts: RowFacts, {push, onSuspects}: Listening): Promise<Differentiated> {
		const {loss, parameters} = this.#settings;
		await this.#forward();
		const columns = columnsOf(this.#tape, this.#embeddings, this.#batch);
		const queue = parameters.queue?.on(this.#tape, this.#update.step, {push});
		const learned = parameters.on(this.#tape);
		const inputs = {
			columns,
			...factsOn(this.#tape, facts, this.#batch.rows),
			...(queue && {queue}),
			...(onSuspects && {onSuspects}),
			parameters: learned,
		};
		const value = applyLoss(this.#tape, loss, inputs);
		await giveTurn();
		this.#tape.backward(value);
		await this.#backward(columns);
		return {value, columns, learned};
	}

	/** Adds the gradient at moved weights, where the run asks for it; the loss there. */
	async #underAttack(facts: RowFacts, learned: Learned): Promise<number | undefined> {
		const {model, attack, parameters} = this.#settings;
		if (!attack || this.#update.step < attack.start) return undefined;
		return underAttack(model.core, attack, async isLast => {
			const given = {update: this.#update, canceller: this.#canceller, passes: this.#passes};
			const pass = new Step(this.#settings, this.#batch, given);
			try {
				const found = await pass.#differentiate(facts, {push: false});
				if (isLast) parameters.addGradients(this.#tape, learned, found.learned);
				return (await pass.#tape.read(found.value, this.#canceller))[0]!;
			} finally {
				pass.dispose();
			}
		});
	}

	/** The reports of groups, such as masked.known. */
	async #reports(): Promise<Record<string, number>> {
		const names = [...this.#tape.reports.keys()].filter(name => name.includes('.'));
		const values = await Promise.all(names.map(async name => [name, await this.#report(name)]));
		return Object.fromEntries(values) as Record<string, number>;
	}

	#hardest(columns: readonly Column[]): Promise<Hardest | undefined> {
		const meets = metBy(this.#settings.loss.needs);
		return hardestOf(this.#tape, columns, {meets, cosine: true});
	}

	/** What the loss said of itself under that name, as it was in this step. */
	async #report(name: string): Promise<number | null> {
		const report = this.#tape.reports.get(name);
		if (report === undefined) return null;
		return typeof report === 'number' ? report : (await this.#tape.read(report))[0]!;
	}

	dispose(): void {
		this.#tape.dispose();
	}

	#pass(chunk: Chunk, keep: boolean, into: Tensor): void {
		const {model, dropout, documentDropout, seed, recompute} = this.#settings;
		const {tower} = chunk;
		const rates = (tower === 1 ? documentDropout : undefined) ?? dropout;
		const settings: PassSettings = {
			...{seed, step: this.#update.step, tower, ...rates},
			...{keep, recompute},
		};
		model.core.forward(chunk.packed, settings, into, this.#canceller);
	}

	async #forward(): Promise<void> {
		const [first, ...others] = this.#batch.chunks;
		for (const chunk of others) {
			this.#pass(chunk, false, this.#rows(chunk));
			await giveTurn();
		}
		this.#pass(first!, true, this.#rows(first!));
		await giveTurn();
	}

	#rows({first, count}: Chunk): Tensor {
		const rows = rowsOfTexts(this.#batch, first, count);
		return this.#tape.own(this.#embeddings.slice(rows.begin, rows.count));
	}

	async #backward(columns: readonly Column[]): Promise<void> {
		const {core} = this.#settings.model;
		for (const [n, chunk] of this.#batch.chunks.entries()) {
			if (n > 0)
				this.#pass(chunk, true, this.#tape.empty(this.#rows(chunk).rows, this.#embeddings.columns));
			core.backward(this.#gradient(columns, chunk), this.#canceller);
			await giveTurn();
		}
	}

	/** The rows of the embeddings' gradient that belong to a chunk, put together from the columns'. */
	#gradient(columns: readonly Column[], chunk: Chunk): Tensor {
		const {device} = this.#tape;
		const {begin: first, count} = rowsOfTexts(this.#batch, chunk.first, chunk.count);
		const whole = this.#tape.zeros({rows: count, columns: this.#embeddings.columns});
		let at = 0;
		for (const {gradient, rows} of columns) {
			const begin = Math.max(first, at);
			const end = Math.min(first + count, at + rows);
			if (gradient && begin < end) {
				const x = this.#tape.own(gradient.slice(begin - at, end - begin));
				device.run('paste', {row: begin - first, x, y: whole});
			}
			at += rows;
		}
		return whole;
	}
}
