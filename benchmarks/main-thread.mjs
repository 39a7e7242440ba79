// How long work holds the thread it is started from: the longest stretch between two turns of the event
// loop, in processor time of that thread alone, so that neither other threads nor other programs count.
//
// Node 20 has no such clock but through WASI, whose clock 3 is CLOCK_THREAD_CPUTIME_ID. That of
// /proc/thread-self/schedstat goes on by ticks of the kernel, of 4 ms often.

import {WASI} from 'node:wasi';

/** A module of a page of memory and an empty `_initialize`. */
const module = Uint8Array.from([
	...[0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 24, 2, 6],
	...[109, 101, 109, 111, 114, 121, 2, 0, 11, 95, 105, 110, 105, 116, 105, 97, 108, 105, 122, 101],
	...[0, 0, 10, 4, 1, 2, 0, 11],
]);

/** The milliseconds that this thread has computed. */
function threadClock() {
	const wasi = new WASI({version: 'preview1'});
	const instance = new WebAssembly.Instance(new WebAssembly.Module(module), {});
	wasi.initialize(instance);
	const view = new DataView(instance.exports.memory.buffer);
	const read = wasi.wasiImport.clock_time_get;
	return () => {
		if (read(3, 0n, 0) !== 0) throw new Error('WASI has no clock of threads here');
		return Number(view.getBigUint64(0, true)) / 1e6;
	};
}

/** The longest stretch while `work` is under way, in milliseconds. */
export async function longestStretch(work) {
	const now = threadClock();
	let longest = 0;
	let isOver = false;
	let last = now();
	const turn = () => {
		longest = Math.max(longest, now() - last);
		last = now();
		if (!isOver) setImmediate(turn);
	};
	setImmediate(turn);
	await work();
	isOver = true;
	return Math.max(longest, now() - last);
}
