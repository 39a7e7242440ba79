// Reads a Parquet file in a thread of its own, since decoding a column holds it for long: rows as
// JSON lines, one row group after the other, each batch when the last one is taken.

import {parentPort, workerData} from 'node:worker_threads';
import {asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects} from 'hyparquet';
import {compressors} from 'hyparquet-compressors';

export interface ParquetAnswer {
	/** Rows as JSON; none at the end of the file. */
	rows: string[];
	failure?: string;
}

const batchLength = 2 ** 10;

async function* batches(path: string): AsyncGenerator<string[], void, undefined> {
	const file = await asyncBufferFromFile(path);
	const metadata = await parquetMetadataAsync(file);
	let rowStart = 0;
	for (const {num_rows: count} of metadata.row_groups) {
		const rowEnd = rowStart + Number(count);
		const rows = await parquetReadObjects({file, metadata, compressors, rowStart, rowEnd});
		for (let at = 0; at < rows.length; at += batchLength) {
			yield rows.slice(at, at + batchLength).map(row => JSON.stringify(row, plainValue));
		}

		rowStart = rowEnd;
	}
}

/** Whole numbers of 64 bits as numbers where these are exact, otherwise as their digits. */
function plainValue(_key: string, value: unknown): unknown {
	if (typeof value === 'bigint') {
		return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
	}

	if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
	return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
}

const port = parentPort!;
const rest = batches((workerData as {path: string}).path);

async function answer(): Promise<ParquetAnswer> {
	try {
		const next = await rest.next();
		return {rows: next.done ? [] : next.value};
	} catch (error) {
		return {rows: [], failure: error instanceof Error ? error.message : String(error)};
	}
}

port.on('message', () => {
	void answer().then(message => port.postMessage(message));
});
