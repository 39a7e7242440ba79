// Long loops that give the event loop its turn.

import {setImmediate} from 'node:timers/promises';

/** Milliseconds that all loops together may run in one turn of the event loop. */
const limit = 2;

let begun = performance.now();

/**
To be called in every round, or every few hundred, of a long loop: comes back with a promise to
await when a turn is due, otherwise with nothing. One clock serves all callers, since what one
leaves of a turn is all that the next one has.
*/
export function giveTurn(signal?: AbortSignal): Promise<void> | undefined {
	return performance.now() - begun < limit ? undefined : nextTurn(signal);
}

async function nextTurn(signal?: AbortSignal): Promise<void> {
	await setImmediate();
	begun = performance.now();
	signal?.throwIfAborted();
}
