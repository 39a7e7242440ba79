// Work to be done when the process ends before its owner did it. One listener serves all.

const pending = new Set<() => void>();

function runPending(): void {
	for (const work of pending) work();
}

/**
Runs `work` (synchronous) when the process exits, unless the function that comes back was called
before.
*/
export function atExit(work: () => void): () => void {
	if (pending.size === 0) process.on('exit', runPending);
	pending.add(work);
	return () => {
		pending.delete(work);
		if (pending.size === 0) process.off('exit', runPending);
	};
}
