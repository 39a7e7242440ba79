// The emulator itself: it does what the manual says of each instruction, it reports each kind of
// fault, and it orders streams by their events alone.

import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {lazy} from '../support/matrix.js';

const root = join(import.meta.dirname, '../..');

function outputOf(program: string, environment: Record<string, string> = {}): string {
	const path = join(root, 'out/emulated', program);
	const env = {...process.env, ...environment};
	const {status, stdout} = spawnSync(path, [], {encoding: 'utf8', env});
	expect(status).toBe(0);
	return stdout;
}

test.each(['1', '2', '3'])('does each instruction as written down, seed %s', seed => {
	const expected = readFileSync(join(import.meta.dirname, 'conformance.txt'), 'utf8');
	expect(outputOf('conformance', {EMULATOR_SEED: seed})).toBe(expected);
});

const reports = lazy(() => `\n${outputOf('reports')}`);

test.each([
	['clean', /no error/],
	['barrier missing', /(race|read of unwritten bytes).*reports\.cu:\d+/],
	['barrier not reached', /deadlock:\n {2}1 threads .* ended\n {2}63 threads .*__syncthreads/],
	['blocks overlap', /race, write after write.*another block of this launch/],
	['shared unwritten', /read of unwritten bytes.*shared memory/],
	['write beyond', /write of 4 bytes outside any allocation/],
	['index beyond', /index 64 out of bounds/],
	['misaligned', /misaligned access of 16 bytes/],
	['lane missing', /deadlock:\n.*\n {2}31 threads .*shuffle/],
	['copy not waited', /read of a copy in flight/],
	['wrong parity', /deadlock:\n {2}64 threads .*mbarrier_wait/],
	['sums changed', /accumulator 1 was changed while in flight/],
])('reports of a kernel: %s', (name, pattern) => {
	const said = reports().split(`\n${name}: `)[1] ?? '';
	expect(said.split(/\n(?! )/)[0]).toMatch(pattern);
});

test('runs streams in any order that their events allow', () => {
	const counts = outputOf('streams').match(/\d+/g)!.map(Number);
	expect(counts[0]).toBe(20);
	expect(counts[1]).toBeLessThan(20);
	expect(counts[2]).toBeLessThan(20);
});

const transfers = lazy(() => `\n${outputOf('transfers')}`);

test.each([
	['upload not awaited', /copies that nothing orders/],
	['slot there reused', /copies that nothing orders/],
	['slot here reused', /pinned memory was written while a copy of it was under way/],
	['download not awaited', /copies that nothing orders/],
	['result read early', /copies that nothing orders|wrong data/],
])('reports of a flow of batches: %s', (name, pattern) => {
	const [count, said] = /^(\d+) (.*)/.exec(transfers().split(`\n${name}: `)[1]!)!.slice(1);
	expect(Number(count)).toBe(0);
	expect(said).toMatch(pattern);
});

test('lets a flow of batches be whose copies are ordered', () => {
	expect(transfers()).toMatch(/\nnone: 20 \n/);
});
