// Writes TREC's files: runs and judgements. A file appears whole or not at all.

import {EngineError} from '../errors.js';
import {writeFailure} from '../files/failures.js';
import {openToWrite} from '../files/open.js';
import {Output} from '../files/output.js';
import {type Judgements, orderRanking, type Ties} from './metrics.js';
import type {Rankings} from './rankings.js';
import {pausing} from './turns.js';

export interface WriteOptions {
	/** Whether a file that is there may be replaced. Default false. */
	overwrite?: boolean | undefined;
	signal?: AbortSignal | undefined;
	/** Awaited when all is written; when it fails the file does not appear. */
	beforeCommit?: (() => Promise<void>) | undefined;
}

export interface WriteRunOptions extends WriteOptions {
	/** The name of the system, the last field of every line. Default `inbatch`. */
	tag?: string | undefined;
	/** The most documents of a query. Default 1000. */
	depth?: number | undefined;
	/** The order of equal scores: `stable` as given, otherwise that of trec_eval. Default `trec`. */
	ties?: Ties | undefined;
}

/** Writes rankings as a run (`query Q0 document rank score tag`), each best first. */
export async function writeRun(
	path: string,
	rankings: Rankings,
	{tag = 'inbatch', depth = 1000, ties = 'trec', ...options}: WriteRunOptions = {},
): Promise<void> {
	if (!(Number.isSafeInteger(depth) && depth > 0)) {
		const message = `depth: expected a whole number above 0, got ${depth}`;
		throw new EngineError('OPTION_RANGE', message);
	}

	await writeParts(path, runParts(rankings, {tag, depth, ties}), options);
}

/** Writes judgements (`query 0 document grade`). */
export async function writeQrels(
	path: string,
	judgements: Judgements,
	options: WriteOptions = {},
): Promise<void> {
	await writeParts(path, qrelsParts(judgements), options);
}

async function* runParts(
	rankings: Rankings,
	{tag, depth, ties}: {tag: string; depth: number; ties: Ties},
): AsyncGenerator<string, void, undefined> {
	const end = field(tag, 'a tag');
	for await (const [query, ranking] of rankings) {
		const begin = `${queryField(query)} Q0`;
		const lines = orderRanking(ranking, ties === 'stable' ? ties : 'trec')
			.slice(0, depth)
			.map(([document, score], place) => {
				if (!Number.isFinite(score)) throw unwritable('a finite score', `${score}`);
				return `${begin} ${field(document, 'an id')} ${place + 1} ${score} ${end}\n`;
			});
		yield lines.join('');
	}
}

async function* qrelsParts(judgements: Judgements): AsyncGenerator<string, void, undefined> {
	for (const [query, grades] of judgements) {
		const begin = `${queryField(query)} 0`;
		const lines = [...grades].map(([document, grade]) => {
			if (!Number.isSafeInteger(grade)) throw unwritable('a whole grade', `${grade}`);
			return `${begin} ${field(document, 'an id')} ${grade}\n`;
		});
		yield lines.join('');
	}
}

async function writeParts(
	path: string,
	parts: AsyncIterable<string>,
	{overwrite, signal, beforeCommit}: WriteOptions,
): Promise<void> {
	const pause = pausing(signal);
	const output = await Output.create(path, {kind: 'file', overwrite});
	try {
		const file = await openToWrite(output.temporary);
		try {
			for await (const part of parts) {
				await pause();
				await file.appendFile(part).catch((error: unknown) => {
					throw writeFailure(path, error);
				});
			}
		} finally {
			await file.close();
		}

		await beforeCommit?.();
		await output.commit();
	} finally {
		await output.discard();
	}
}

// A line that begins with # is a comment.
function queryField(query: string): string {
	if (query.startsWith('#')) throw unwritable('an id of a query without # at its head', query);
	return field(query, 'an id');
}

function field(value: string, what: string): string {
	if (/^\S+$/.test(value)) return value;
	throw unwritable(`${what} without white space`, JSON.stringify(value));
}

function unwritable(expected: string, got: string): EngineError {
	const message = `trec: expected ${expected}, got ${got}; the format cannot hold it`;
	return new EngineError('FILE_WRITE', message);
}
