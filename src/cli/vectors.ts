// Where `encode` puts embeddings: X.npy with X.ids beside it, X.jsonl, or JSON Lines on stdout. Files
// appear whole, all of them or none, and only when everything was written.

import {once} from 'node:events';
import type {FileHandle} from 'node:fs/promises';
import {rm} from 'node:fs/promises';
import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {NpyWriter} from '../files/npy.js';
import {openToWrite} from '../files/open.js';
import {Output} from '../files/output.js';
import {giveTurn} from '../pace.js';

/** Embeddings of texts in order, row after row. */
export type Vectors = {
	ids: readonly string[];
	data: Float32Array;
	width: number;
	/** Where the rows of each text begin, and at the end where all end, if it has several. */
	offsets?: Int32Array;
};

export type VectorSink = {
	append(vectors: Vectors): Promise<void>;
	/** Puts the files in their places. */
	commit(): Promise<void>;
	/** Takes everything back; nothing after `commit`. */
	discard(): Promise<void>;
};

/** Throws for a name that says no format. */
export function checkVectorName(target: string): void {
	if (target === '-' || /[^/]\.(npy|jsonl)$/.test(target)) return;
	const message = `--output: expected a name that ends in .npy or .jsonl, or -, got ${target}`;
	throw new EngineError('OPTION_RANGE', message);
}

export async function openVectorSink(
	target: string,
	{overwrite, signal}: {overwrite: boolean; signal: AbortSignal},
): Promise<VectorSink> {
	if (target === '-') return stdoutSink(signal);
	if (target.endsWith('.jsonl'))
		return lineSink(await Output.create(target, {kind: 'file', overwrite}));
	return matrixSink(await createAll(namesBeside(target, ['npy', 'ids']), overwrite));
}

/** X.npy of the rows of tokens, X.ids, and X.offsets: a line for each row at which a text begins, and the end. */
export async function openTokenSink(
	target: string,
	{overwrite}: {overwrite: boolean},
): Promise<VectorSink> {
	return matrixSink(await createAll(namesBeside(target, ['npy', 'ids', 'offsets']), overwrite));
}

function namesBeside(target: string, endings: readonly string[]): string[] {
	return endings.map(ending => `${target.slice(0, -'npy'.length)}${ending}`);
}

/** All outputs or none. */
async function createAll(paths: readonly string[], overwrite: boolean): Promise<Output[]> {
	const outputs: Output[] = [];
	try {
		for (const path of paths) outputs.push(await Output.create(path, {kind: 'file', overwrite}));
		return outputs;
	} catch (error) {
		await Promise.all(outputs.map(output => output.discard()));
		throw error;
	}
}

function stdoutSink(signal: AbortSignal): VectorSink {
	return {
		async append(vectors) {
			for await (const lines of linesOf(vectors)) {
				if (!process.stdout.write(lines)) await drained(signal);
			}
		},
		async commit() {},
		async discard() {},
	};
}

/** A reader may stop reading for good without closing; an abort ends the waiting for it. */
async function drained(signal: AbortSignal): Promise<void> {
	try {
		await once(process.stdout, 'drain', {signal});
	} catch (error) {
		signal.throwIfAborted();
		throw error;
	}
}

function lineSink(output: Output): VectorSink {
	let file: FileHandle | undefined;
	return {
		async append(vectors) {
			file ??= await openToWrite(output.temporary);
			for await (const lines of linesOf(vectors)) await write(file, output.path, lines);
		},
		async commit() {
			await file?.close();
			await output.commit();
		},
		async discard() {
			await file?.close();
			await output.discard();
		},
	};
}

/** Rows, ids, and where there is a file for them the offsets. */
function matrixSink(outputs: readonly Output[]): VectorSink {
	const [matrix, ...beside] = outputs as [Output, ...Output[]];
	let rows: NpyWriter | undefined;
	let files: FileHandle[] = [];
	let end = 0;
	return {
		async append({ids, data, width, offsets}) {
			rows ??= await NpyWriter.open(matrix.temporary, width);
			if (files.length === 0) {
				files = await Promise.all(beside.map(output => openToWrite(output.temporary)));
				if (offsets) await write(files[1]!, beside[1]!.path, '0\n');
			}
			await rows.append(data);
			await write(files[0]!, beside[0]!.path, ids.map(idLine).join(''));
			if (!offsets) return;
			const lines = Array.from(offsets.subarray(1), offset => `${end + offset}\n`);
			await write(files[1]!, beside[1]!.path, lines.join(''));
			end += offsets.at(-1)!;
		},
		async commit() {
			await rows?.close();
			await Promise.all(files.map(file => file.close()));
			const done: Output[] = [];
			try {
				for (const output of [...beside, matrix]) {
					await output.commit();
					done.push(output);
				}
			} catch (error) {
				await Promise.all(done.map(({path}) => rm(path, {force: true})));
				throw error;
			}
		},
		async discard() {
			await rows?.dispose();
			await Promise.all(files.map(file => file.close()));
			await Promise.all(outputs.map(output => output.discard()));
		},
	};
}

async function write(file: FileHandle, path: string, text: string): Promise<void> {
	await file.appendFile(text).catch((error: unknown) => {
		throw writeFailure(path, error);
	});
}

function idLine(id: string): string {
	if (!/[\r\n]/.test(id)) return `${id}\n`;
	const message = `ids: expected an id of one line, got ${JSON.stringify(id.slice(0, 80))}`;
	throw new EngineError('DATA_ROW', `${message}; write to a .jsonl file`);
}

/** Some rows at a time, since numbers as text take long. */
async function* linesOf({ids, data, width}: Vectors): AsyncGenerator<string, void, undefined> {
	const rowsAtOnce = Math.max(1, Math.floor(4096 / width));
	for (let begin = 0; begin < ids.length; begin += rowsAtOnce) {
		await giveTurn();
		const part = ids.slice(begin, begin + rowsAtOnce).map((id, index) => {
			const from = (begin + index) * width;
			const embedding = Array.from(data.subarray(from, from + width));
			return `${JSON.stringify({id, embedding})}\n`;
		});
		yield part.join('');
	}
}
