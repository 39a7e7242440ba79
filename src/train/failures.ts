// Why a step failed: what of it first was no finite number, or how large it is where memory was short.

import {EngineError} from '../errors.js';
import {rowsOfTexts} from './batch.js';
import type {Broken} from './broken.js';
import type {Prepared} from './prepare.js';
import type {Run} from './run.js';
import {isOutOfMemory, reasonOf} from './short-memory.js';

const quotedRows = 5;

/** Names the step, what of it is not finite, and the rows that it is of. */
export async function notFinite(
	{rows}: Run,
	{course}: Prepared,
	{loss, gradientNorm, broken}: {loss: number; gradientNorm: number; broken?: Broken | undefined},
): Promise<EngineError> {
	const {step, rows: numbers} = course;
	const own = broken?.rows.map(row => numbers[row % numbers.length]!) ?? [];
	const named = own.length > 0 ? [...new Set(own)] : [...numbers];
	const quoted = await rows.locate(named.slice(0, quotedRows));
	const more = named.length > quoted.length ? ` and ${named.length - quoted.length} more` : '';
	const first = broken ? `; the first that is not finite is ${broken.part}` : '';
	const norm = Number.isFinite(loss) ? ` and a gradient of norm ${gradientNorm}` : '';
	const got = `loss ${loss}${norm}`;
	return new EngineError(
		'LOSS_NOT_FINITE',
		`step ${step}: expected a finite loss and gradient, got ${got} from the rows ` +
			`${quoted.join(', ')}${more}${first}; lower --learning-rate or ` +
			'look at these rows; the model is as it was before the step, and the last checkpoint stays',
	);
}

/** The error of a step; one for want of memory says how large the step is and what makes it smaller. */
export function failureOfStep(
	{settings, model}: Run,
	{course, batch}: Prepared,
	error: unknown,
): unknown {
	if (!isOutOfMemory(error)) return error;
	const {chunks, texts, tokens} = batch;
	const sizes = chunks.map(({packed}) => packed.ids.length);
	const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
	const lengths = chunks.flatMap(({packed: {offsets}}) =>
		Array.from(offsets.subarray(1), (end, text) => end - offsets[text]!),
	);
	const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
	const embeddings = `${rowsOfTexts(batch, 0, texts).count} x ${model.width}`;
	const size =
		`${course.rows.length} rows of ${texts} texts and ${tokens} tokens in ${chunks.length} chunks of ` +
		`at most ${largest} tokens, the longest text ${longest}, embeddings ${embeddings}`;
	return new EngineError(
		'OUT_OF_MEMORY',
		`step ${course.step}: expected memory for ${size}, got none (${reasonOf(error)}); ` +
			`${adviceOf({settings, largest, longest})}; the last checkpoint stays`,
		{cause: error},
	);
}

function adviceOf({
	settings,
	largest,
	longest,
}: {
	settings: Run['settings'];
	largest: number;
	longest: number;
}): string {
	const ways = [
		largest > longest
			? `lower --chunk-tokens below ${largest} (activations)`
			: 'lower --query-max-length and --document-max-length (activations)',
		...(settings.recompute === 'none' ? ['set --recompute blocks (activations)'] : []),
		'lower --batch-size (the loss)',
	];
	return ways.join(', ');
}
