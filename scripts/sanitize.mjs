// npm run test:sanitize: builds test/native/driver.cpp with sanitizers into out/sanitize/ and runs it
// with each kernel set that the CPU has. Prints a line a run, and what a sanitizer found.

import {spawn, spawnSync} from 'node:child_process';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {start} from './build.mjs';
import {root} from './freshness.mjs';
import {BuildError, expectTools} from './toolchain.mjs';

/** By name, as in -fsanitize=. Threads are watched by a build of their own. */
export const sanitizers = {address: 'address,undefined', thread: 'thread'};
export const kernels = ['baseline', 'avx2', 'avx512'];

const absent = 77; // the driver's answer where the CPU cannot run the kernels

/** Whether the compiler of this machine has all sanitizers. */
export function hasSanitizers() {
	return Object.values(sanitizers).every(names => {
		const options = [`-fsanitize=${names}`, '-x', 'c++', '-', '-o', '/dev/null'];
		const {status} = spawnSync(process.env.CXX ?? 'c++', options, {input: 'int main() {}\n'});
		return status === 0;
	});
}

/** Compiles the driver. */
export async function buildDriver(sanitizer) {
	expectTools(['compiler', 'cmake', 'make']);
	const folder = folderOf(sanitizer);
	const jobs = String(availableParallelism());
	await cmake(['-S', '.', '-B', folder, `-DINBATCH_SANITIZE=${sanitizers[sanitizer]}`]);
	await cmake(['--build', folder, '--target', 'inbatch_driver', '--parallel', jobs]);
}

/** Runs the driver to its end: `clean`, `absent` where the CPU lacks the kernels, or what was found. */
export async function runDriver(sanitizer, name) {
	const {code, output} = await run(join(folderOf(sanitizer), 'inbatch_driver'), [], {
		INBATCH_KERNELS: name,
	});
	if (code === 0 && output.endsWith('done\n')) return 'clean';
	return code === absent ? 'absent' : `ended with ${code}\n${output}`;
}

function folderOf(sanitizer) {
	return join(root, 'out', 'sanitize', sanitizer);
}

async function cmake(args) {
	const {code, output} = await run('cmake', args);
	if (code !== 0) throw new BuildError(`sanitize: cmake ${args.join(' ')} failed\n${output}`);
}

/** The exit code, or the name of the signal, and all that was said. */
function run(program, args, environment = {}) {
	const child = spawn(program, args, {cwd: root, env: {...process.env, ...environment}});
	let output = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', text => {
			output += text;
		});
	}
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => resolve({code: code ?? signal, output}));
	});
}

await start(import.meta.url, async () => {
	let isClean = true;
	for (const [sanitizer, names] of Object.entries(sanitizers)) {
		await buildDriver(sanitizer);
		for (const name of kernels) {
			const outcome = await runDriver(sanitizer, name);
			console.log(`sanitize: ${names} with ${name} kernels: ${outcome}`);
			isClean &&= outcome === 'clean' || outcome === 'absent';
		}
	}
	return isClean ? 0 : 1;
});
