// Long computations of this folder pause here, so that the event loop is never held for more than 5 ms.

import {setImmediate} from 'node:timers/promises';

// Below the promised 5 ms, because what stands between two pauses takes time too.
const stretchMilliseconds = 2;

// One clock for all computations: many short ones in a row hold the loop as well as a long one.
let turnBegan = 0;

/**
A function to await between the steps of a long computation. It lets other work run when that has not
happened for 2 ms, and rejects with the signal's reason after an abort. Steps should take below 1 ms.
*/
export function pausing(signal?: AbortSignal): () => Promise<void> {
	return async () => {
		signal?.throwIfAborted();
		if (performance.now() - turnBegan < stretchMilliseconds) return;
		await setImmediate();
		turnBegan = performance.now();
		signal?.throwIfAborted();
	};
}
