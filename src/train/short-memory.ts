// Errors for want of memory: which are, and what one of held-out rows says.

import {EngineError} from '../errors.js';

export function isOutOfMemory(error: unknown): boolean {
	if (error instanceof EngineError) return error.code === 'OUT_OF_MEMORY';
	return error instanceof RangeError && /allocation failed|array length/i.test(error.message);
}

/** The error of held-out rows; one for want of memory says what makes their batches smaller. */
export function failureOfHeldOut(error: unknown): unknown {
	if (!isOutOfMemory(error)) return error;
	const ways = 'lower --chunk-tokens (activations) or --batch-size (the loss)';
	const message = `held-out rows: expected memory for a batch, got none (${reasonOf(error)}); ${ways}`;
	return new EngineError('OUT_OF_MEMORY', message, {cause: error});
}

export function reasonOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}
