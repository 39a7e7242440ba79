// Fuzzes one target in a thread of its own, so that what never returns can be ended. The input that is
// running lies in shared memory, for whoever ends the thread.

import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {register} from 'node:module';
import {join} from 'node:path';
import {setImmediate} from 'node:timers/promises';
import {parentPort, workerData} from 'node:worker_threads';
import {FuzzLoop} from './loop.mjs';

const {target: url, corpus, seconds, inputs, seed, shared} = workerData;
const [count, length] = [new Int32Array(shared, 0, 1), new Int32Array(shared, 4, 1)];
const running = new Uint8Array(shared, 8);

// Refusals are errors too, and most of their cost is the stack.
Error.stackTraceLimit = 6;

const words = [];
let branches = 0;
globalThis.fuzzCounters = new Uint8Array(1 << 16);
globalThis.fuzzLoaded = (counters, literals) => {
	branches += counters;
	words.push(...literals);
};
register('./hooks.mjs', import.meta.url);
const target = await import(url);

const counters = globalThis.fuzzCounters.subarray(0, branches);
const loop = new FuzzLoop(target, {seed, counters, words});
for (const bytes of seeds()) {
	await attempt(bytes);
	loop.keep(bytes);
}
const end = performance.now() + seconds * 1000;
for (let done = 0; done < inputs && performance.now() < end; done++) {
	await attempt(loop.next());
	// What native code holds for garbage goes between turns.
	if (done % 64 === 0) await setImmediate();
}
// Nothing is watched any more.
length[0] = -1;
parentPort.postMessage({
	type: 'done',
	branches: loop.branches,
	of: branches,
	kept: await loop.fewest(),
});

function seeds() {
	const files = corpus !== undefined && existsSync(corpus) ? readdirSync(corpus).sort() : [];
	const kept = files.map(file => readFileSync(join(corpus, file)));
	return [...target.seeds.map(seed => Buffer.from(seed)), ...kept];
}

async function attempt(bytes) {
	running.set(bytes.subarray(0, running.length));
	length[0] = bytes.length;
	Atomics.add(count, 0, 1);
	try {
		const result = loop.run(bytes);
		if (result !== undefined) await result;
	} catch (error) {
		parentPort.postMessage({type: 'finding', bytes, error: String(error?.stack ?? error)});
	}
}
