// The value and the gradients of a loss on plain matrices, without a model, by the ops that
// training runs.

import {Tape, type Variable} from '../autograd/tape.js';
import {type DeviceOptions, openDevice} from '../device.js';
import {EngineError, kindOf} from '../errors.js';
import {type Canceller, cancellable} from '../native.js';
import {giveTurn} from '../pace.js';
import {applyLoss, type Column, columnOf, type Loss, type RowsKnown} from './loss.js';
import {startOf} from './parameters.js';

export type PlainColumn = {
	/** Row after row. */
	data: Float32Array;
	rows: number;
	width: number;
	/** Texts offsets[n] to offsets[n + 1] belong to query n. Default: one text for each query. */
	offsets?: Int32Array | readonly number[];
	/** Rows tokens[n] to tokens[n + 1] are those of text n. Default: one row for each text. */
	tokens?: Int32Array | readonly number[];
};

export type PlainInputs = {
	/** The query, the positive, then negatives. */
	columns: readonly PlainColumn[];
	/** One number for each row. */
	labels?: Float32Array;
	/** Scores of a teacher, row after row. */
	scores?: Float32Array;
	/** A teacher's vector for each query. */
	teacher?: PlainColumn;
	/** What is known of rows and texts, for masks. */
	known?: RowsKnown;
	/** A guide's vectors of each column, for the mask of a guide. */
	guide?: readonly PlainColumn[];
	/** The name of the data set of each row, for lossFor. */
	sets?: readonly string[];
	/** How often the data were passed before. Default 0. */
	epoch?: number;
	/** What the loss learned so far, by name. Default: where its parameters start at seed 0. */
	parameters?: Readonly<Record<string, Float32Array>>;
};

/** The device changes no bit of the result by its number of threads. */
export type EvaluateLossOptions = DeviceOptions & {signal?: AbortSignal | undefined};

export type LossEvaluation = {
	value: number;
	/** The gradient of each column, in their order and of their shape. */
	gradients: Float32Array[];
	/** The gradients of what the loss learns itself, by name: a number, or a matrix row after row. */
	parameterGradients: Record<string, number | Float32Array>;
	/** What the loss reported, by name. */
	reports: Record<string, number>;
};

/**
Evaluates a loss, where its parameters start if none are given.

@example
const {value, gradients} = await evaluateLoss(infoNce(), {
	columns: [{data: queries, rows: 8, width: 384}, {data: positives, rows: 8, width: 384}],
});
*/
export async function evaluateLoss(
	loss: Loss,
	inputs: PlainInputs,
	{signal, ...device}: EvaluateLossOptions = {},
): Promise<LossEvaluation> {
	expectInputs(loss, inputs);
	const tape = Tape.on(await openDevice(device));
	try {
		const columns = await writtenColumns(tape, inputs.columns, signal);
		const parameters = parametersOf(tape, loss, inputs);
		const {teacher: given, guide: guiding, ...others} = inputs;
		const constants = async (given: readonly PlainColumn[]) =>
			(await writtenColumns(tape, given, signal)).map(({tensor}) => tape.constant(tensor));
		const teacher = given && (await constants([given]))[0];
		const guide = guiding && (await constants(guiding));
		const all = {
			...others,
			columns,
			parameters,
			...(teacher && {teacher}),
			...(guide && {guide}),
		};
		const value = applyLoss(tape, loss, all);
		tape.backward(value);
		return await cancellable(signal, canceller =>
			evaluationOf(tape, {value, columns, parameters, canceller}),
		);
	} finally {
		tape.dispose();
	}
}

type Recorded = {
	value: Variable;
	columns: readonly Column[];
	parameters: Readonly<Record<string, Variable>>;
	canceller: Canceller;
};

async function evaluationOf(
	tape: Tape,
	{value, columns, parameters, canceller}: Recorded,
): Promise<LossEvaluation> {
	const [number] = await tape.read(value, canceller);
	const gradientOf = (of: Variable) => tape.read(tape.constant(of.gradient ?? tape.zeros(of)));
	const parameterGradients: LossEvaluation['parameterGradients'] = {};
	for (const [name, parameter] of Object.entries(parameters)) {
		const gradient = await gradientOf(parameter);
		parameterGradients[name] = gradient.length === 1 ? gradient[0]! : gradient;
	}
	const reports: Record<string, number> = {};
	for (const [name, report] of tape.reports) {
		reports[name] = typeof report === 'number' ? report : (await tape.read(report))[0]!;
	}
	const gradients = await Promise.all(columns.map(gradientOf));
	return {value: number!, gradients, parameterGradients, reports};
}

/** Elements that are copied to the device in one go. */
const pieceSize = 1 << 18;

async function writtenColumns(
	tape: Tape,
	columns: readonly PlainColumn[],
	signal: AbortSignal | undefined,
): Promise<Column[]> {
	const queries = columns[0] ? (columns[0].tokens?.length ?? columns[0].rows + 1) - 1 : 0;
	const written: Column[] = [];
	for (const {data, rows, width, offsets, tokens} of columns) {
		const tensor = tape.empty(rows, width);
		const step = Math.max(1, Math.floor(pieceSize / Math.max(1, width)));
		for (let row = 0; row < rows; row += step) {
			const part = tape.own(tensor.slice(row, Math.min(step, rows - row)));
			tape.device.write(part, data.subarray(row * width, (row + part.rows) * width));
			await giveTurn(signal);
		}
		const parts = [offsets, tokens].map(each => each && Int32Array.from(each));
		written.push(columnOf(tape.variable(tensor), queries, ...parts));
	}
	return written;
}

function parametersOf(
	tape: Tape,
	{parameters = []}: Loss,
	{columns, parameters: given = {}}: PlainInputs,
): Record<string, Variable> {
	const entries = parameters.map(parameter => {
		const {name} = parameter;
		const start = startOf(parameter, columns[0]!.width, 0);
		const values = given[name] ?? start.values;
		if (values.length !== start.values.length) {
			refuse(`parameter ${name} of ${start.rows} x ${start.columns} elements`, `${values.length}`);
		}
		return [name, tape.variable(tape.constant(values, start).tensor)] as const;
	});
	return Object.fromEntries(entries);
}

function expectInputs(loss: Loss, inputs: PlainInputs): void {
	const {columns, labels, scores, teacher, guide = []} = inputs;
	if (typeof loss !== 'function') {
		refuse('a function as the loss', kindOf(loss));
	}
	if (!Array.isArray(columns) || columns.length === 0) {
		refuse('columns to be an array of at least one', kindOf(columns));
	}
	for (const [n, column] of (columns as readonly PlainColumn[]).entries()) {
		expectColumn(`column ${n}`, column);
	}
	if (teacher !== undefined) {
		expectColumn('the teacher', teacher);
	}
	for (const [n, column] of guide.entries()) {
		expectColumn(`the guide's column ${n}`, column);
	}
	for (const [name, numbers] of Object.entries({labels, scores})) {
		if (numbers !== undefined && !(numbers instanceof Float32Array)) {
			refuse(`${name} to be a Float32Array`, kindOf(numbers));
		}
	}
}

function expectColumn(name: string, {data, rows, width}: PlainColumn): void {
	if (!(data instanceof Float32Array)) {
		refuse(`${name} to have data in a Float32Array`, kindOf(data));
	}
	if (!Number.isInteger(rows) || !Number.isInteger(width) || data.length !== rows * width) {
		refuse(`${name} of ${rows} x ${width} elements`, `${data.length}`);
	}
}

function refuse(expected: string, got: string): never {
	throw new EngineError('LOSS_INVALID', `evaluateLoss: expected ${expected}, got ${got}`);
}
