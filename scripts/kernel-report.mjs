// npm run kernels: compiles native/cuda with nvcc and writes what ptxas says of every kernel (registers,
// stack, spills, shared memory that is not launched) into benchmarks/results/kernels.md. Fails where a
// kernel spills. With names of files (`norm pool`) prints these only, and writes nothing.

import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {availableParallelism, tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {start} from './build.mjs';
import {filesBelow, root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

const architectures = ['sm_80', 'sm_90a'];
const output = 'benchmarks/results/kernels.md';

await start(import.meta.url, async names => {
	const sources = filesBelow('native/cuda').filter(
		file => file.endsWith('.cu') && (names.length === 0 || names.includes(basename(file, '.cu'))),
	);
	const kernels = (await inTurns(sources, kernelsOf)).flat();
	const text = page(kernels);
	if (names.length === 0) writeFileSync(join(root, output), text);
	console.log(names.length === 0 ? `kernels: ${kernels.length} in ${output}` : text);
	const spilling = kernels.filter(({spills}) => spills > 0);
	for (const {source, kernel, architecture, spills} of spilling) {
		console.error(`kernels: ${source}: ${kernel} spills ${spills} bytes on ${architecture}`);
	}
	return spilling.length > 0 ? 1 : 0;
});

/** What ptxas says, a kernel and an architecture each. */
async function kernelsOf(file) {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-kernels-'));
	try {
		const targets = architectures.map(
			name => `--generate-code=arch=${name.replace('sm', 'compute')},code=[${name}]`,
		);
		const object = join(folder, 'kernels.o');
		const options = ['-std=c++20', '-O3', '-DNDEBUG', '--ptxas-options=-v', ...targets];
		const said = await outputOf('nvcc', [...options, '-c', join(root, file), '-o', object]);
		return parsed(said).map(kernel => ({source: basename(file), ...kernel}));
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

function nameOf(symbol) {
	const {stdout} = spawnSync('c++filt', [symbol], {encoding: 'utf8'});
	return (stdout ?? symbol)
		.trim()
		.replace(/^void /, '')
		.replace(/inbatch::(cuda::)?|\(anonymous namespace\)::/g, '')
		.replace(/\([^()]*\)$/, '');
}

function page(kernels) {
	const rows = new Map();
	for (const {source, kernel, architecture, ...numbers} of kernels) {
		const key = `| ${source} | \`${kernel}\` |`;
		rows.set(key, {...rows.get(key), [architecture]: numbers});
	}
	const cell = numbers =>
		numbers
			? `${numbers.registers} | ${numbers.stack} | ${numbers.spills} | ${numbers.shared}`
			: '- | - | - | -';
	const lines = [...rows].map(
		([key, of]) => `${key} ${architectures.map(name => cell(of[name])).join(' | ')} |`,
	);
	const titles = architectures.flatMap(name => [`${name} registers`, 'stack', 'spills', 'shared']);
	return `# Kernels as ptxas sees them

Written by \`npm run kernels\`. Bytes but for registers; shared memory is launched, so it is not told here.

| file | kernel | ${titles.join(' | ')} |
|${'---|'.repeat(titles.length + 2)}
${lines.sort().join('\n')}
`;
}

/** work(item) for all of them, as many at a time as there are processors; results in their order. */
async function inTurns(items, work) {
	const results = [];
	let next = 0;
	const turn = async () => {
		for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]);
	};
	await Promise.all(Array.from({length: availableParallelism()}, turn));
	return results;
}

/** All that a program says; throws when it fails. */
function outputOf(program, args) {
	const child = spawn(program, args, {cwd: root});
	let said = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding('utf8').on('data', text => {
			said += text;
		});
	}
	return new Promise((resolve, reject) => {
		child.on('error', () => reject(new BuildError('kernels: expected nvcc, found none')));
		child.on('close', code =>
			code === 0
				? resolve(said)
				: reject(new BuildError(`kernels: ${args.at(-3)} failed\n${errorsIn(said)}`)),
		);
	});
}

function errorsIn(said) {
	const lines = said.split('\n').filter(line => line.includes('error'));
	return lines.slice(0, 10).join('\n');
}
