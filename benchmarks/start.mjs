// How long from the start of a process to its first vector, and how long does loading take? Beside
// onnxruntime-node with the same model as an ONNX graph, when ONNX_FOLDER names a folder that has
// node_modules/onnxruntime-node and model.onnx (peers/setup.sh makes it).

import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {median} from './rounds.mjs';

const parts = ['from start to vector', 'loading'];

export async function measure({model, seconds}) {
	const onnx = process.env.ONNX_FOLDER;
	const beside = name => fileURLToPath(new URL(name, import.meta.url));
	const candidates = [
		['inbatch', beside('./start-run.mjs'), [model]],
		...(onnx ? [['onnxruntime-node', beside('./peers/start-onnx.mjs'), [onnx]]] : []),
	];
	const times = candidates.map(() => []);
	const end = performance.now() + seconds * 1000;
	while (performance.now() < end || times[0].length < 5) {
		for (const [n, [, file, given]] of candidates.entries()) {
			const begun = performance.now();
			const {stdout} = await promisify(execFile)(process.execPath, [file, ...given]);
			times[n].push([performance.now() - begun, Number(stdout)]);
		}
	}
	for (const [part, title] of parts.entries()) {
		for (const [n, [name]] of candidates.entries()) {
			const middle = median(times[n].map(each => each[part]));
			console.log(`${title}: ${name} ${middle.toFixed(0)} ms (median of ${times[n].length})`);
		}
	}
}
