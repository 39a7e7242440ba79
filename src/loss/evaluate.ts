// The value and the gradients of a loss on plain matrices, without a model, by the ops that
// training runs.

import {Tape, type Variable} from '../autograd/tape.js';
import {type DeviceOptions, openDevice} from '../device.js';
import {EngineError, kindOf} from '../errors.js';
import {type Canceller, cancellable} from '../native.js';
import {giveTurn} from '../pace.js';
import {applyLoss, type Column, columnOf, type Loss} from './loss.js';

export type PlainColumn = {
	/** Row after row. */
	data: Float32Array;
	rows: number;
	width: number;
	/** Rows offsets[n] to offsets[n + 1] belong to query n. Default: one row for each query. */
	offsets?: Int32Array | readonly number[];
};

export type PlainInputs = {
	/** The query, the positive, then negatives. */
	columns: readonly PlainColumn[];
	/** One number for each row. */
	labels?: Float32Array;
	/** Scores of a teacher, row after row. */
	scores?: Float32Array;
};

/** The device changes no bit of the result by its number of threads. */
export type EvaluateLossOptions = DeviceOptions & {signal?: AbortSignal | undefined};

export type LossEvaluation = {
	value: number;
	/** The gradient of each column, in their order and of their shape. */
	gradients: Float32Array[];
	/** The gradients of what the loss learns itself, by name. */
	parameterGradients: Record<string, number>;
	/** What the loss reported, by name. */
	reports: Record<string, number>;
};

/**
Evaluates a loss where its parameters start.

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
	const tape = new Tape(openDevice(device).native);
	try {
		const columns = await writtenColumns(tape, inputs.columns, signal);
		const parameters = parametersOf(tape, loss);
		const value = applyLoss(tape, loss, {...inputs, columns, parameters});
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
	const parameterGradients: Record<string, number> = {};
	for (const [name, parameter] of Object.entries(parameters)) {
		parameterGradients[name] = (await gradientOf(parameter))[0]!;
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
	const queries = columns[0]?.rows ?? 0;
	const written: Column[] = [];
	for (const {data, rows, width, offsets} of columns) {
		const tensor = tape.empty(rows, width);
		const step = Math.max(1, Math.floor(pieceSize / Math.max(1, width)));
		for (let row = 0; row < rows; row += step) {
			const part = tape.own(tensor.slice(row, Math.min(step, rows - row)));
			tape.device.write(part, data.subarray(row * width, (row + part.rows) * width));
			await giveTurn(signal);
		}
		written.push(columnOf(tape.variable(tensor), queries, offsets && Int32Array.from(offsets)));
	}
	return written;
}

function parametersOf(tape: Tape, {parameters = []}: Loss): Record<string, Variable> {
	const starts = parameters.map(({name, value}) => {
		const start = tape.constant([value], {rows: 1, columns: 1});
		return [name, tape.variable(start.tensor)] as const;
	});
	return Object.fromEntries(starts);
}

function expectInputs(loss: Loss, {columns, labels, scores}: PlainInputs): void {
	if (typeof loss !== 'function') {
		refuse('a function as the loss', kindOf(loss));
	}
	if (!Array.isArray(columns) || columns.length === 0) {
		refuse('columns to be an array of at least one', kindOf(columns));
	}
	for (const [n, {data, rows, width}] of (columns as readonly PlainColumn[]).entries()) {
		if (!(data instanceof Float32Array)) {
			refuse(`column ${n} to have data in a Float32Array`, kindOf(data));
		}
		if (!Number.isInteger(rows) || !Number.isInteger(width) || data.length !== rows * width) {
			refuse(`column ${n} of ${rows} x ${width} elements`, `${data.length}`);
		}
	}
	for (const [name, numbers] of Object.entries({labels, scores})) {
		if (numbers !== undefined && !(numbers instanceof Float32Array)) {
			refuse(`${name} to be a Float32Array`, kindOf(numbers));
		}
	}
}

function refuse(expected: string, got: string): never {
	throw new EngineError('LOSS_INVALID', `evaluateLoss: expected ${expected}, got ${got}`);
}
