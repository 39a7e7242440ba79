// Runs the thread that fuzzes a target and ends it when an input takes too long or too much memory. Time
// is that of the processor: a machine that is busy with other things finds nothing.

import {Worker} from 'node:worker_threads';

const longestInput = 2 ** 20;
/** What an input may take: seconds of the processor, gigabytes above what there was at first. */
const promised = {seconds: 1, gigabytes: 1};
const heap = {maxOldGenerationSizeMb: 1024};

/**
Fuzzes the module at a URL until the time or the inputs are used up; after an input that ended the thread a new one goes on.
*/
export async function watch({target, corpus, seconds, inputs, seed, lives = 5, most = promised}) {
	const total = {inputs: 0, seconds: 0, branches: 0, of: 0, kept: [], findings: []};
	for (let life = 0; life < lives && total.seconds < seconds && total.inputs < inputs; life++) {
		const rest = {seconds: seconds - total.seconds, inputs: inputs - total.inputs};
		const begun = performance.now();
		const one = await liveOnce({target, corpus, seed: seed + life * 7919, ...rest}, most);
		total.seconds += (performance.now() - begun) / 1000;
		total.inputs += one.inputs;
		total.branches = Math.max(total.branches, one.branches ?? 0);
		total.of = Math.max(total.of, one.of ?? 0);
		total.kept.push(...(one.kept ?? []));
		for (const finding of one.findings) addNew(total.findings, finding);
		if (one.isDone) break;
	}
	return total;
}

/** Findings of the same kind at the same place count as one. */
function addNew(findings, finding) {
	// The message counts up to the part that differs from input to input.
	const kindOf = ({error}) => {
		const [message, ...stack] = error.split('\n');
		return [message.split(':').slice(0, 2), ...stack.slice(0, 3)].join();
	};
	if (!findings.some(one => kindOf(one) === kindOf(finding))) findings.push(finding);
}

function liveOnce(settings, most) {
	const shared = new SharedArrayBuffer(8 + longestInput);
	const [count, length] = [new Int32Array(shared, 0, 1), new Int32Array(shared, 4, 1)];
	const worker = new Worker(new URL('./worker.mjs', import.meta.url), {
		workerData: {...settings, shared},
		resourceLimits: heap,
	});
	const findings = [];
	const end = error => {
		const bytes = Buffer.from(new Uint8Array(shared, 8, Math.min(length[0], longestInput)));
		findings.push({bytes, error});
		worker.terminate();
	};
	// Below 0 no input is running: the thread looks back at what it kept.
	const current = () => (Atomics.load(length, 0) < 0 ? -1 : Atomics.load(count, 0));
	const timer = setInterval(watching(current, most, end), 100);
	return new Promise((resolve, reject) => {
		let done = {};
		worker.on('message', message => {
			if (message.type === 'done') done = {...message, isDone: true};
			else addNew(findings, {...message, bytes: Buffer.from(message.bytes)});
		});
		worker.on('error', error => {
			if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') end('memory: more than 1 GB\n');
			else reject(error);
		});
		worker.on('exit', () => {
			clearInterval(timer);
			resolve({...done, findings, inputs: Atomics.load(count, 0)});
		});
	});
}

/** What to do at every tick: compare the time and the memory used since the input last changed. */
function watching(current, {seconds, gigabytes}, end) {
	let last = -1;
	let begun = process.cpuUsage();
	let isEnded = false;
	const memory = process.memoryUsage.rss();
	return () => {
		if (current() !== last) {
			last = current();
			begun = process.cpuUsage();
		}
		const {user, system} = process.cpuUsage(begun);
		const isBig = process.memoryUsage.rss() - memory > gigabytes * 2 ** 30;
		// Loading the modules takes longer than an input may.
		const isSlow = last > 0 && (user + system) / 1e6 > seconds;
		if (isEnded || !(isSlow || isBig)) return;
		isEnded = true;
		end(isBig ? `memory: more than ${gigabytes} GB\n` : `time: more than ${seconds} s\n`);
	};
}
