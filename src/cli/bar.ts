// The progress bar of a terminal.

import {Presets, SingleBar} from 'cli-progress';
import {type Meter, type MeterOptions, progressText} from './meter.js';

const steps = 1000;

/** A bar with rate and time left; without a known whole only the text moves. */
export function barMeter({label, unit}: MeterOptions): Meter {
	const begun = performance.now();
	const bar = new SingleBar(
		{
			format: `${label} {bar} {text}`,
			stream: process.stderr,
			barsize: 24,
			hideCursor: true,
			clearOnComplete: true,
			// Signals are for main.ts.
			gracefulExit: false,
		},
		Presets.shades_classic,
	);
	bar.start(steps, 0, {text: ''});
	return {
		update(state) {
			const seconds = (performance.now() - begun) / 1000;
			const text = progressText(state, unit, seconds);
			bar.update(Math.round((state.share ?? 0) * steps), {text});
		},
		stop: () => bar.stop(),
	};
}
