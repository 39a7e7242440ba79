// How much memory do encoding, training and the in-batch loss take at their peak, whole processes?

import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

export async function measure({model, threads = 2, python}) {
	for (const work of ['load', 'encode', 'train']) {
		await peaks(`${work} ${model}`, {python, threads});
	}
}

/** Runs the work in a process of ours and one of PyTorch's and prints both peaks. */
export async function peaks(work, {python, threads}) {
	const beside = name => fileURLToPath(new URL(name, import.meta.url));
	const env = {...process.env, OMP_NUM_THREADS: String(threads)};
	const peak = async (program, file) => {
		const {stdout} = await promisify(execFile)(program, [beside(file), ...work.split(' ')], {env});
		return Number(stdout);
	};
	const ours = await peak(process.execPath, './memory-run.mjs');
	if (!python) return console.log(`peak memory of ${work}: ${ours.toFixed(0)} MiB`);
	const theirs = await peak(python, './peers/memory.py');
	const share = ((100 * ours) / theirs).toFixed(0);
	console.log(
		`peak memory of ${work}: inbatch ${ours.toFixed(0)} MiB, PyTorch ${theirs.toFixed(0)} MiB: ${share} %`,
	);
}
