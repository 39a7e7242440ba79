// Ctrl-C and SIGTERM: the first one asks the command to stop, the second ends the process at once.

const exitCodes = {SIGINT: 130, SIGTERM: 143} as const;

type SignalName = keyof typeof exitCodes;

/** Why the signal of a command was aborted. */
export class Interruption extends Error {
	override readonly name = 'Interruption';
	readonly exitCode: number;

	constructor(signal: SignalName) {
		super(`stopped by ${signal}`);
		this.exitCode = exitCodes[signal];
	}
}

/** A signal that aborts with an {@link Interruption}. */
export function interruptible(): AbortSignal {
	const controller = new AbortController();
	for (const name of Object.keys(exitCodes) as SignalName[]) {
		process.on(name, () => {
			// What was begun under temporary names is removed on exit.
			if (controller.signal.aborted) process.exit(exitCodes[name]);
			controller.abort(new Interruption(name));
		});
	}
	return controller.signal;
}
