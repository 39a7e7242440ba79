// Parquet files as JSON lines. One row group is decoded at a time, in a worker.

import {once} from 'node:events';
import type {FileHandle} from 'node:fs/promises';
import {Worker} from 'node:worker_threads';
import {EngineError} from '../errors.js';
import type {ParquetAnswer} from './parquet-worker.js';
import {readHead} from './pieces.js';

/** Whether a file begins as Parquet files do. */
export async function isParquet(source: string | FileHandle): Promise<boolean> {
	return (await readHead(source, 4)).toString('latin1') === 'PAR1';
}

/** The rows of a file as JSON, in batches. */
export async function* readParquet(
	path: string,
	{name = path, signal}: {name?: string | undefined; signal?: AbortSignal | undefined} = {},
): AsyncGenerator<string[], void, undefined> {
	const worker = new Worker(new URL('./parquet-worker.js', import.meta.url), {
		workerData: {path},
		execArgv: [],
	});
	try {
		for (;;) {
			worker.postMessage('next');
			const [answer] = (await once(worker, 'message', {signal})) as [ParquetAnswer];
			if (answer.failure !== undefined) refuse(name, answer.failure);
			if (answer.rows.length === 0) return;
			yield answer.rows;
		}
	} catch (error) {
		signal?.throwIfAborted();
		if (error instanceof EngineError) throw error;
		refuse(name, error instanceof Error ? error.message : String(error));
	} finally {
		await worker.terminate();
	}
}

function refuse(name: string, reason: string): never {
	const got = `one that cannot be read (${reason.split('\n')[0]!.slice(0, 200)})`;
	throw new EngineError('FILE_FORMAT', `${name}: expected a whole Parquet file, got ${got}`);
}
