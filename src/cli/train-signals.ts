// What a run is asked for by signals of the system: SIGUSR1 saves now, SIGUSR2 evaluates now.

import type {TrainingRun} from '../train/start.js';
import type {Terminal} from './terminal.js';

export type RunSignals = {
	/** Whom the signals reach from now on. */
	reach(run: TrainingRun): void;
	stop(): void;
};

/** Listens at once, since node takes the first of these signals for its debugger otherwise. */
export function runSignals({note, warn}: Pick<Terminal, 'note' | 'warn'>): RunSignals {
	let reached: TrainingRun | undefined;
	const asking = async (ask: (run: TrainingRun) => Promise<string | undefined>) => {
		if (!reached) return warn('the run has not begun');
		try {
			const done = await ask(reached);
			if (done !== undefined) note(done);
		} catch (error) {
			warn(error instanceof Error ? error.message : String(error));
		}
	};
	const save = () => asking(async run => `step ${await run.saveNow()}: saved`);
	const evaluate = () => asking(run => run.evaluateNow().then(() => undefined));
	process.on('SIGUSR1', save);
	process.on('SIGUSR2', evaluate);
	return {
		reach(run) {
			reached = run;
		},
		stop() {
			process.off('SIGUSR1', save);
			process.off('SIGUSR2', evaluate);
		},
	};
}
