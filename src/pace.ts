// Long loops that give the event loop its turn, so that nothing holds it for more than 5 ms.

import {setImmediate} from 'node:timers/promises';

/**
Returns a function to call once per round of a long loop. When the loop has run for `limit` milliseconds
without a pause it comes back with a promise to await, otherwise with nothing.
*/
export function pacer(signal?: AbortSignal, limit = 2): () => Promise<void> | undefined {
	let begun = performance.now();
	const pause = async () => {
		await setImmediate();
		signal?.throwIfAborted();
		begun = performance.now();
	};

	return () => (performance.now() - begun < limit ? undefined : pause());
}
