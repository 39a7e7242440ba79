// Progress in numbers: rate and time left; and as plain lines where there is no terminal.

export type MeterOptions = {
	/** What is being done: `encode`. */
	label: string;
	/** What is counted: `texts`. */
	unit: string;
};

export type MeterState = {
	/** Units done. */
	count: number;
	/** Share of the work that is done, 0 to 1; undefined where the whole is not known. */
	share?: number | undefined;
	/** More to show, as `loss 0.123`. */
	note?: string | undefined;
};

export type Meter = {
	update(state: MeterState): void;
	stop(): void;
};

const secondsBetweenLines = 5;

/** A line every few seconds, for logs. */
export function lineMeter({label, unit}: MeterOptions, write: (line: string) => void): Meter {
	const begun = performance.now();
	let written = begun;
	return {
		update(state) {
			const now = performance.now();
			if (now - written < secondsBetweenLines * 1000) return;
			written = now;
			write(`${label}: ${progressText(state, unit, (now - begun) / 1000)}`);
		},
		stop() {},
	};
}

/** `12000 texts, 834/s, 41%, 20s left, loss 0.1`. */
export function progressText(state: MeterState, unit: string, seconds: number): string {
	const {count, share, note} = state;
	const parts = [`${count} ${unit}`, `${rateText(count, seconds)}/s`];
	if (share !== undefined) parts.push(`${Math.floor(share * 100)}%`);
	const left = secondsLeft(share, seconds);
	if (left !== undefined) parts.push(`${durationText(left)} left`);
	if (note) parts.push(note);
	return parts.join(', ');
}

/** Three digits are enough to compare. */
export function rateText(count: number, seconds: number): string {
	const rate = seconds > 0 ? count / seconds : 0;
	return rate >= 100 ? String(Math.round(rate)) : rate.toPrecision(3);
}

export function durationText(seconds: number): string {
	const whole = Math.round(seconds);
	if (whole < 60) return `${whole}s`;
	const minutes = Math.floor(whole / 60);
	if (minutes < 60) return `${minutes}m${String(whole % 60).padStart(2, '0')}s`;
	return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`;
}

function secondsLeft(share: number | undefined, seconds: number): number | undefined {
	// The first moments say nothing about the rest.
	if (share === undefined || share <= 0 || seconds < 1) return undefined;
	return (seconds * (1 - share)) / share;
}
