// npm run kernels [-- NAME...]: compiles native/cuda with nvcc and writes what ptxas says of every kernel
// (registers, stack, spills, shared memory that is not launched) and the processor time of each file into
// benchmarks/results/kernels.md. Fails where a kernel spills, or the compiler has its products by wgmma
// wait for one another. With names (`norm pool`) only their rows are made again.

import {spawn, spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {availableParallelism, tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {start} from './build.mjs';
import {filesBelow, root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

const architectures = ['sm_80', 'sm_90a'];
// As the build has them (CMakeLists.txt).
const targets = [
	'arch=compute_80,code=[sm_80]',
	'arch=compute_90a,code=[sm_90a]',
	'arch=compute_90,code=[compute_90]',
];
const output = 'benchmarks/results/kernels.md';

await start(import.meta.url, async names => {
	const sources = filesBelow('native/cuda').filter(file => file.endsWith('.cu'));
	const chosen = sources.filter(
		file => names.length === 0 || names.includes(basename(file, '.cu')),
	);
	const kernels = [];
	const waiting = [];
	await inTurns(chosen, async file => {
		const found = await compiled(file);
		kernels.push(...found.kernels);
		waiting.push(...found.waiting);
		record(
			sources.map(name => basename(name)),
			found,
		);
		console.log(`kernels: ${basename(file)}: ${found.kernels.length / 2}, ${found.seconds} s`);
	});
	const spilling = kernels.filter(({spills}) => spills > 0);
	for (const {source, kernel, architecture, spills} of spilling) {
		console.error(`kernels: ${source}: ${kernel} spills ${spills} bytes on ${architecture}`);
	}
	for (const {kernel, why} of waiting) {
		console.error(`kernels: ${kernel}: products wait for one another, for ${why}`);
	}
	return spilling.length + waiting.length > 0 ? 1 : 0;
});

/** What ptxas says, a kernel and an architecture each, and the seconds of a processor that it took. */
async function compiled(file) {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-kernels-'));
	try {
		const code = targets.map(target => `--generate-code=${target}`);
		const options = ['-std=c++20', '-O3', '-DNDEBUG', '--ptxas-options=-v', ...code];
		const object = join(folder, 'kernels.o');
		const {said, seconds} = await outputOf([...options, '-c', join(root, file), '-o', object]);
		const source = basename(file);
		const kernels = parsed(said).map(kernel => ({source, ...kernel}));
		return {source, seconds, kernels, waiting: waitingIn(said)};
	} finally {
		rmSync(folder, {recursive: true});
	}
}

/** The kernels in the text of `ptxas -v`. */
export function parsed(text) {
	const entry =
		/Compiling entry function '(\w+)' for '(\w+)'([\s\S]*?)Used (\d+) registers([^\n]*)/g;
	const number = (part, pattern) => Number(pattern.exec(part)?.[1] ?? 0);
	return [...text.matchAll(entry)].map(([, symbol, architecture, between, registers, rest]) => ({
		kernel: nameOf(symbol),
		architecture,
		registers: Number(registers),
		stack: number(between, /(\d+) bytes stack frame/),
		spills:
			number(between, /(\d+) bytes spill stores/) + number(between, /(\d+) bytes spill loads/),
		shared: number(rest, /(\d+) bytes smem/),
	}));
}

/** The kernels whose products by wgmma do not overlap: what ptxas calls serialized. */
export function waitingIn(text) {
	const said =
		/wgmma\.mma_async instructions are serialized due to (.*?) in (?:the )?function '(\w+)'/g;
	return [...text.matchAll(said)].map(([, why, symbol]) => ({kernel: nameOf(symbol), why}));
}

function nameOf(symbol) {
	const {stdout} = spawnSync('c++filt', [symbol], {encoding: 'utf8'});
	return (stdout ?? symbol)
		.trim()
		.replace(/^void /, '')
		.replace(/inbatch::(cuda::)?|\(anonymous namespace\)::/g, '')
		.replace(/\([^()]*\)$/, '');
}

/** Puts the rows of a file into the page, in place of those that it had. */
function record(names, {source, seconds, kernels}) {
	const path = join(root, output);
	const before = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
	const isKept = line => {
		const name = /^\| (\w+\.cu) \|/.exec(line)?.[1];
		return name !== source && names.includes(name);
	};
	const rows = before.filter(isKept);
	const times = rows.filter(line => /^\| \w+\.cu \| \d+ \|$/.test(line));
	const others = rows.filter(line => !times.includes(line));
	const all = [...times, `| ${source} | ${seconds} |`].sort();
	writeFileSync(path, page([...others, ...rowsOf(source, kernels)].sort(), all));
}

function rowsOf(source, kernels) {
	const rows = new Map();
	for (const {kernel, architecture, ...numbers} of kernels) {
		const key = `| ${source} | \`${kernel}\` |`;
		rows.set(key, {...rows.get(key), [architecture]: numbers});
	}
	const cell = numbers =>
		numbers
			? `${numbers.registers} | ${numbers.stack} | ${numbers.spills} | ${numbers.shared}`
			: '- | - | - | -';
	return [...rows].map(
		([key, of]) => `${key} ${architectures.map(name => cell(of[name])).join(' | ')} |`,
	);
}

function page(rows, times) {
	const titles = architectures.flatMap(name => [`${name} registers`, 'stack', 'spills', 'shared']);
	const seconds = times.reduce((sum, line) => sum + Number(line.split(' | ')[1].split(' ')[0]), 0);
	return `# Kernels as ptxas sees them

Written by \`npm run kernels\`. Bytes but for registers; shared memory is launched, so it is not told here.

| file | kernel | ${titles.join(' | ')} |
|${'---|'.repeat(titles.length + 2)}
${rows.join('\n')}

Seconds of a processor that nvcc takes for a file, for both architectures and PTX, without a cache: ${seconds} together,
so ${(seconds / 120).toFixed(1)} minutes on two cores that do nothing else. At most 8 are allowed.

| file | seconds |
|---|---|
${times.join('\n')}
`;
}

/** work(item) for all of them, as many at a time as there are processors. */
async function inTurns(items, work) {
	let next = 0;
	const turn = async () => {
		for (let at = next++; at < items.length; at = next++) await work(items[at]);
	};
	await Promise.all(Array.from({length: availableParallelism()}, turn));
}

/** All that nvcc says, and the seconds of a processor that it and its children took. */
async function outputOf(args) {
	if (spawnSync('nvcc', ['--version']).error) {
		throw new BuildError('kernels: expected nvcc, found none');
	}
	const child = spawn('sh', ['-c', 'nvcc "$@" && times', 'sh', ...args], {cwd: root});
	let said = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', text => {
			said += text;
		});
	}
	const code = await new Promise(resolve => child.on('close', resolve));
	if (code !== 0) throw new BuildError(`kernels: ${args.at(-3)} failed\n${errorsIn(said)}`);
	// The second line of `times` is that of children: user and system, as 1m2.5s.
	const taken = [
		...said
			.trimEnd()
			.split('\n')
			.at(-1)
			.matchAll(/(\d+)m([\d.]+)s/g),
	];
	const seconds = taken.reduce((sum, [, minutes, rest]) => sum + 60 * minutes + Number(rest), 0);
	return {said, seconds: Math.round(seconds)};
}

function errorsIn(said) {
	const lines = said.split('\n').filter(line => line.includes('error'));
	return lines.slice(0, 10).join('\n');
}
