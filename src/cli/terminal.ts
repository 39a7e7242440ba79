// What people see while a command works: notes, warnings and progress, all on stderr. Stdout is for data.

import {lineMeter, type Meter, type MeterOptions} from './meter.js';

export type Terminal = {
	/** A line of information. */
	note(text: string): void;
	/** Something that the user should look at. */
	warn(text: string): void;
	/** Progress of a long piece of work; one at a time. */
	meter(options: MeterOptions): Promise<Meter>;
};

const silentMeter: Meter = {update() {}, stop() {}};

/** Quiet: nothing is printed but errors. On a terminal progress is a bar, elsewhere a line now and then. */
export function openTerminal({quiet}: {quiet: boolean}): Terminal {
	const write = (text: string) => {
		if (!quiet) process.stderr.write(`${text}\n`);
	};
	return {
		note: write,
		warn: text => write(`warning: ${text}`),
		async meter(options) {
			if (quiet) return silentMeter;
			if (!process.stderr.isTTY) return lineMeter(options, write);
			const {barMeter} = await import('./bar.js');
			return barMeter(options);
		},
	};
}
