// Numbers as people read them.

/** Four digits that count: 0.0123, 1.234, 12.34, 1,234, 2.0e-5. */
export function figure(value: number | null | undefined): string {
	if (value === null || value === undefined) return '–';
	if (!Number.isFinite(value)) return String(value);
	const size = Math.abs(value);
	if (size !== 0 && (size < 1e-3 || size >= 1e7)) {
		return value
			.toExponential(2)
			.replace(/\.?0+e/, 'e')
			.replace('e+', 'e');
	}
	return grouped(String(Number(value.toFixed(Math.max(0, 4 - digitsOf(size))))));
}

/** Thousands apart; what Intl says too, which holds the event loop to read its tables. */
function grouped(digits: string): string {
	const [whole, ...fraction] = digits.split('.');
	return [whole!.replaceAll(/\B(?=(\d{3})+$)/g, ','), ...fraction].join('.');
}

/** Digits before the point, beyond the first. */
function digitsOf(size: number): number {
	return size < 10 ? 0 : Math.floor(Math.log10(size));
}

/** As numbers stand below each other in a table: four decimals, where it is not large. */
export function decimals(value: number | undefined): string {
	const isPlain = value !== undefined && Math.abs(value) < 1000;
	return isPlain ? value.toFixed(4) : figure(value);
}

/** A difference with its sign, as in a table. */
export function change(value: number): string {
	const text = decimals(Math.abs(value));
	if (Number(text) === 0) return text;
	return value > 0 ? `+${text}` : `−${text}`;
}

export function bytesText(bytes: number): string {
	const units = ['bytes', 'KiB', 'MiB', 'GiB'];
	const step = Math.min(3, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
	return `${figure(Number((bytes / 1024 ** step).toPrecision(3)))} ${units[step]}`;
}

export function secondsText(seconds: number): string {
	if (seconds < 60) return `${figure(Number(seconds.toPrecision(3)))} s`;
	const minutes = Math.round(seconds / 60);
	return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Round numbers from `low` to `high`, about so many. */
export function ticks(low: number, high: number, count: number): number[] {
	const rough = (high - low) / count;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = power * ([1, 2, 5].find(factor => factor * power >= rough) ?? 10);
	const first = Math.ceil(low / step - 1e-9);
	const last = Math.floor(high / step + 1e-9);
	return Array.from({length: last - first + 1}, (_, n) =>
		Number(((first + n) * step).toPrecision(12)),
	);
}
