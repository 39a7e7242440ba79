// What limits the slowest kernels? ncu times every kernel of a training step and of an encoding; the three
// that take most are then profiled in full.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {cardHere, outcomeOf} from './machine.mjs';

const program = join(import.meta.dirname, 'step.mjs');

export async function profiles(settings) {
	const {name} = await cardHere(settings);
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-profiles-'));
	try {
		const command = [process.execPath, program, name];
		const timed = await outcomeOf('ncu', [...times, ...command]);
		const totals = totalsOf(timed.stdout);
		if (totals.length === 0) throw new Error(`ncu: ${(timed.stdout + timed.stderr).slice(-1500)}`);
		settings.keep({kernels: totals.slice(0, 20)});
		const slowest = [];
		for (const {kernel} of totals.slice(0, 3)) {
			const filter = [
				'--kernel-name',
				`regex:^${kernel}$`,
				'--launch-skip',
				'1',
				'--launch-count',
				'1',
			];
			const options = ['--set', 'full', '--clock-control', 'none', ...filter];
			const {stdout} = await outcomeOf('ncu', [...options, ...command]);
			slowest.push({kernel, profile: stdout.slice(stdout.indexOf('Section:')).slice(0, 20_000)});
			settings.keep({slowest});
		}
		return {passed: slowest.length > 0, slowest};
	} finally {
		rmSync(folder, {recursive: true});
	}
}

const times = [
	...['--metrics', 'gpu__time_duration.sum', '--print-units', 'base', '--csv'],
	...['--clock-control', 'none'],
];

/** Kernels by the nanoseconds of all their launches. */
export function totalsOf(text) {
	const rows = text.split('\n').flatMap(line => {
		const cells = [...line.matchAll(/"([^"]*)"/g)].map(([, cell]) => cell);
		return cells.length > 10 ? [cells] : [];
	});
	const [titles = []] = rows;
	const [kernelAt, valueAt] = ['Kernel Name', 'Metric Value'].map(title => titles.indexOf(title));
	const totals = new Map();
	for (const cells of rows.slice(1)) {
		const kernel = /(\w+)\s*(?:<|\(|$)/.exec(cells[kernelAt])?.[1] ?? cells[kernelAt];
		const {launches, nanoseconds} = totals.get(kernel) ?? {launches: 0, nanoseconds: 0};
		const own = Number(cells[valueAt].replaceAll(',', ''));
		totals.set(kernel, {launches: launches + 1, nanoseconds: nanoseconds + own});
	}
	return [...totals]
		.map(([kernel, sums]) => ({kernel, ...sums}))
		.sort((a, b) => b.nanoseconds - a.nanoseconds);
}
