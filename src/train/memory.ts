// What a run will take of memory, by part, before it takes it; and the refusal of one that cannot fit.

import {totalmem} from 'node:os';
import type {Device} from '../device.js';
import {EngineError} from '../errors.js';
import type {Loss} from '../loss/loss.js';
import {passingMemory, passMemory} from '../model/activation-memory.js';
import {attackOf} from './adversarial.js';
import {rowsOfTexts} from './batch.js';
import {lossMemory} from './dry-step.js';
import type {Course} from './epochs.js';
import type {TrainSettings} from './options.js';
import {type BatchSource, type Prepared, prepareStep} from './prepare.js';
import {parameterMemory} from './trained.js';

/** Bytes by part, on a card those of the card alone; `peak` is their sum, the most that is taken at a time. */
export type ExpectedMemory = {
	weights: number;
	gradients: number;
	/** Moments, means of weights, what attacks put back. */
	optimizer: number;
	activations: number;
	loss: number;
	/** Texts and ids of two steps. */
	data: number;
	/** The process with its index of the data, without the model. */
	node: number;
	peak: number;
};

export type MemoryRequest = {
	settings: TrainSettings;
	loss: Loss;
	course: Course;
	signal?: AbortSignal | undefined;
};

const gibibyte = 2 ** 30;

/** Floats of a text in JavaScript and of its ids, for each token. */
const bytesOfToken = 64;

/** What JavaScript comes to beside what is there when a run begins. */
const slack = 16 * 2 ** 20;

/** Matrices as large as the embeddings that a loss of one's own is taken for. */
const matricesOfOwn = 12;

/** What the run will take if the first step is like the others; refused where that is too much. */
export async function expectFits(
	source: BatchSource,
	request: MemoryRequest,
): Promise<ExpectedMemory> {
	const {settings, loss, course, signal} = request;
	const {computing} = source.model;
	const {held} = parameterMemory(source.model, settings, course.steps);
	const node = Math.max(0, process.memoryUsage.rss() - held) + slack + largestTensor(source);
	const first = await course.from(1).next();
	if (first.done) throw new EngineError('INTERNAL', 'course: expected a first step, got none');
	const prepared = await prepareStep(source, first.value, {loss, signal});
	const expected = await expectedMemory(source, request, {prepared, node});
	const limit = memoryLimit(settings, computing);
	if (expected.peak <= limit) return expected;
	throw new EngineError('OUT_OF_MEMORY', refusal(expected, limit, settings, prepared));
}

/** Bytes of the largest parameter: checkpoints are written from copies of one at a time. */
function largestTensor({model}: BatchSource): number {
	const sizes = model.core.parameters().map(({rows, columns}) => 4 * rows * columns);
	return sizes.reduce((most, size) => Math.max(most, size), 0);
}

/** What a run takes whose largest step this is, in a process that takes `node` without it. */
export async function expectedMemory(
	{model}: BatchSource,
	{settings, loss, course}: MemoryRequest,
	{prepared, node}: {prepared: Prepared; node: number},
): Promise<ExpectedMemory> {
	const {weights, gradients, state} = parameterMemory(model, settings, course.steps);
	const attack = attackOf(settings, []);
	const {width, computing} = model;
	const isHere = computing.memoryBytes === undefined; // and not on a card
	const {count: rows} = rowsOfTexts(prepared.batch, 0, prepared.batch.texts);
	// A loss of one's own is not called but for a step: it is taken for some matrices of embeddings.
	const ofLoss = loss.options
		? await lossMemory({loss, width, seed: settings.seed, attack}, prepared)
		: matricesOfOwn * 4 * rows * width;
	const parts = {
		weights,
		gradients,
		optimizer: state,
		activations: activationMemory(model, prepared, settings),
		loss: ofLoss,
		data: isHere ? 2 * bytesOfToken * prepared.batch.tokens : 0,
		node: isHere ? node : 0,
	};
	return {...parts, peak: Object.values(parts).reduce((sum, part) => sum + part, 0)};
}

/** The passes over the largest chunk, and where there are several over the others, that keep nothing. */
function activationMemory(
	{folder: {spec}, computing: {dtype}}: BatchSource['model'],
	{batch}: Prepared,
	{recompute}: TrainSettings,
): number {
	const sizes = batch.chunks.map(({packed, count}) => ({tokens: packed.ids.length, texts: count}));
	const most = sizes.reduce((a, b) => (b.tokens > a.tokens ? b : a));
	const {saved, scratch} = passMemory(spec, {...most, recompute: recompute === 'blocks', dtype});
	const passing = sizes.length > 1 ? passingMemory(spec, most.tokens, dtype) : 0;
	return saved + Math.max(scratch, passing);
}

/** Bytes that a run may take: of the option, or of the card, or of this control group or machine. */
export function memoryLimit(
	{memoryLimit: given}: Pick<TrainSettings, 'memoryLimit'>,
	{memoryBytes}: Pick<Device, 'memoryBytes'> = {},
): number {
	if (given !== undefined) return given * gibibyte;
	if (memoryBytes !== undefined) return memoryBytes;
	const group = process.constrainedMemory();
	return group > 0 ? Math.min(group, totalmem()) : totalmem();
}

function refusal(
	expected: ExpectedMemory,
	limit: number,
	{recompute}: TrainSettings,
	{batch}: Prepared,
): string {
	const {peak, ...parts} = expected;
	const listed = Object.entries(parts).map(([name, bytes]) => `${name} ${inGibibytes(bytes)}`);
	const largest = batch.chunks.reduce((most, {packed}) => Math.max(most, packed.ids.length), 0);
	const rows = rowsOfTexts(batch, 0, batch.texts).count;
	const ways = [
		`--chunk-tokens below ${largest} (activations)`,
		...(recompute === 'none' ? ['--recompute blocks (activations)'] : []),
		`a smaller --batch-size (loss, of ${rows} embeddings)`,
		'--optimizer adamw8 or lion',
	];
	return (
		`memory: expected a run of at most ${inGibibytes(limit)}, as this process may take, got one of ` +
		`${inGibibytes(peak)} (${listed.join(', ')}); use ${ways.join(', ')}`
	);
}

export function inGibibytes(bytes: number): string {
	return `${(bytes / gibibyte).toFixed(2)} GiB`;
}
