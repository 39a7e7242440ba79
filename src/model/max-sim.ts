// Scores of queries and documents by the vectors of their tokens (late interaction).

import {type DeviceOptions, openDevice} from '../device.js';
import {EngineError, kindOf} from '../errors.js';
import {cancellable, type NativeDevice, type Tensor} from '../native.js';
import {giveTurn} from '../pace.js';

/** Vectors of tokens, as `encodeTokens` returns them; without offsets all are of one text. */
export type TokenRows = {
	data: Float32Array;
	width: number;
	/** Rows offsets[n] to offsets[n + 1] are those of text n. */
	offsets?: Int32Array | readonly number[];
};

export type MaxSimSettings = DeviceOptions & {signal?: AbortSignal | undefined};

/**
MaxSim of every query with every document: the sum over a query's tokens of the largest dot product
with a token of the document; queries × documents numbers, row after row. A document without tokens
scores 0.

@example
const query = await model.encodeTokens('what is late interaction', {prompt: 'query'});
const scores = await maxSim(query, await model.encodeTokens(documents, {prompt: 'document'}));
*/
export async function maxSim(
	query: TokenRows,
	documents: TokenRows,
	{signal, ...options}: MaxSimSettings = {},
): Promise<Float32Array> {
	const left = asTexts(query, 'query');
	const right = asTexts(documents, 'documents');
	if (left.width !== right.width) {
		refuse('OPTION_RANGE', `documents: expected rows of ${left.width} columns`, `${right.width}`);
	}
	const device = await openDevice(options);
	const queries = await MaxSimQueries.open(device.native, query, signal);
	try {
		return await queries.scores(documents, signal);
	} finally {
		queries.dispose();
	}
}

/** Queries on a device, to be scored against any number of lots of documents. */
export class MaxSimQueries {
	readonly count: number;
	readonly #device: NativeDevice;
	readonly #rows: Tensor;
	readonly #offsets: Tensor;

	private constructor(device: NativeDevice, {rows, width, offsets, texts}: Texts) {
		this.count = texts;
		this.#device = device;
		this.#rows = device.tensor(rows, width, 'f32');
		this.#offsets = device.tensor(1, offsets.length, 'i32');
	}

	static async open(
		device: NativeDevice,
		query: TokenRows,
		signal?: AbortSignal,
	): Promise<MaxSimQueries> {
		const texts = asTexts(query, 'query');
		const queries = new MaxSimQueries(device, texts);
		try {
			await write(device, queries.#rows, {values: texts.data, signal});
			await write(device, queries.#offsets, {values: texts.offsets, signal});
			return queries;
		} catch (error) {
			queries.dispose();
			throw error;
		}
	}

	/** The score of every query with each of these documents: queries × documents. */
	async scores(documents: TokenRows, signal?: AbortSignal): Promise<Float32Array> {
		const {data, rows, width, offsets, texts} = asTexts(documents, 'documents');
		const device = this.#device;
		const owner = new Int32Array(texts).fill(-1);
		const tensors = [
			device.tensor(rows, width, 'f32'),
			device.tensor(1, offsets.length, 'i32'),
			device.tensor(1, texts, 'i32'),
			device.tensor(this.count, texts, 'f32'),
		] as const;
		const [matrix, begins, owners, scores] = tensors;
		try {
			await write(device, matrix, {values: data, signal});
			await write(device, begins, {values: offsets, signal});
			await write(device, owners, {values: owner, signal});
			device.run('maxSimForward', {
				...{queries: this.#rows, queryOffsets: this.#offsets},
				...{documents: matrix, documentOffsets: begins, owner: owners, scores},
			});
			const values = new Float32Array(this.count * texts);
			await cancellable(signal, canceller => device.read(scores, values, canceller));
			return values;
		} finally {
			for (const tensor of tensors) tensor.dispose();
		}
	}

	dispose(): void {
		this.#rows.dispose();
		this.#offsets.dispose();
	}
}

type Texts = {data: Float32Array; rows: number; width: number; offsets: Int32Array; texts: number};

/** Elements that are copied to the device in one go. */
const pieceSize = 1 << 18;

type Written = {values: Float32Array | Int32Array; signal: AbortSignal | undefined};

async function write(
	device: NativeDevice,
	tensor: Tensor,
	{values, signal}: Written,
): Promise<void> {
	const {rows, columns} = tensor;
	if (rows === 1) return device.write(tensor, values);
	const step = Math.max(1, Math.floor(pieceSize / Math.max(1, columns)));
	for (let row = 0; row < rows; row += step) {
		const part = tensor.slice(row, Math.min(step, rows - row));
		device.write(part, values.subarray(row * columns, (row + part.rows) * columns));
		part.dispose();
		await giveTurn(signal);
	}
}

function asTexts(value: TokenRows, name: string): Texts {
	const {data, width, offsets: given}: Partial<TokenRows> = value ?? {};
	if (!(data instanceof Float32Array)) {
		const expected = `${name}: expected {data: Float32Array, width, offsets}`;
		refuse('OPTION_TYPE', expected, kindOf(value));
	}
	const isWidth = typeof width === 'number' && Number.isInteger(width) && width > 0;
	if (!isWidth || data.length % width !== 0) {
		refuse('OPTION_RANGE', `${name}: expected whole rows of the width`, `${data.length} numbers`);
	}
	const rows = data.length / width;
	const offsets = Int32Array.from(given ?? [0, rows]);
	const rises = offsets.every((offset, n) => n === 0 || offset >= offsets[n - 1]!);
	if (!rises || offsets[0] !== 0 || offsets.at(-1) !== rows) {
		const got = offsets.length > 8 ? `${offsets.length} others` : `[${offsets.join(', ')}]`;
		refuse('OPTION_RANGE', `${name}: expected offsets that rise from 0 to ${rows}`, got);
	}
	return {data, rows, width, offsets, texts: offsets.length - 1};
}

function refuse(code: 'OPTION_RANGE' | 'OPTION_TYPE', expected: string, got: string): never {
	throw new EngineError(code, `maxSim: ${expected}, got ${got}`);
}
