// How many instructions does a kernel take for each of its multiply-adds?
//
// Valgrind counts counts.cpp instruction by instruction, and objdump tells which are multiply-adds of whole
// registers. It knows no AVX-512, so the kernels are those of AVX2; and at six million instructions a second
// a model of MiniLM's shape would take minutes: one block of it is counted, for 3 texts.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {formatTable} from '../dist/files/table.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const size = ['3', '1'];
const env = {...process.env, INBATCH_KERNELS: 'avx2'};
const isMultiplyAdd = /^vfn?m(add|sub)\d+ps$/;

export async function measure() {
	const folder = mkdtempSync(join(tmpdir(), 'counts-'));
	try {
		const program = join(folder, 'counts');
		const sources = [
			join(root, 'benchmarks/counts.cpp'),
			join(root, 'out/cmake/libinbatch_core.a'),
		];
		const flags = ['-std=c++20', '-O1', '-march=x86-64-v2', '-ffp-contract=off'];
		execFileSync('g++', [...flags, ...sources, '-lpthread', '-ldl', '-o', program]);
		const names = namesOf(program);
		for (const work of ['encode', 'train']) {
			const counted = join(folder, work);
			const tool = ['--tool=callgrind', '--dump-instr=yes', '--collect-atstart=no'];
			const where = ['--toggle-collect=counted_*', `--callgrind-out-file=${counted}`];
			execFileSync('valgrind', [...tool, ...where, program, work, ...size], {env, stdio: 'ignore'});
			console.log(`\n${work}, ${size[0]} texts of 128 tokens, ${size[1]} block of MiniLM, AVX2`);
			console.log(tableOf(countsOf(readFileSync(counted, 'utf8'), names)));
		}
	} finally {
		rmSync(folder, {recursive: true});
	}
}

/** The instruction at each address. */
export function namesOf(program) {
	const options = {encoding: 'utf8', maxBuffer: 2 ** 30};
	const lines = execFileSync('objdump', ['-d', '--no-show-raw-insn', program], options).split('\n');
	const found = lines.map(line => /^ +([0-9a-f]+):\t(\S+)/.exec(line));
	return new Map(found.filter(Boolean).map(([, at, name]) => [Number.parseInt(at, 16), name]));
}

/** Of each function all instructions and the multiply-adds, by a file of callgrind's. */
export function countsOf(text, names) {
	const functions = new Map();
	const known = new Map();
	let [counts, at, isCall] = [undefined, 0, false];
	for (const line of text.split('\n')) {
		const named = /^c?fn=\((\d+)\)(?: (.*))?$/.exec(line);
		if (named) {
			const [whole, number, name] = named;
			if (name !== undefined) known.set(number, name);
			if (whole.startsWith('c')) continue;
			counts = functions.get(number) ?? {number, all: 0, multiplyAdds: 0};
			functions.set(number, counts);
		}
		const row = /^(0x[0-9a-f]+|\+\d+|-\d+|\*) \S+ (\d+)$/.exec(line);
		if (row) {
			const [, place, count] = row;
			at = place === '*' ? at : /^0x/.test(place) ? Number(place) : at + Number(place);
			if (!isCall) add(counts, names.get(at), Number(count));
		}
		isCall = line.startsWith('calls=');
	}
	return [...functions.values()].map(each => ({...each, name: known.get(each.number)}));
}

function add(counts, name, count) {
	counts.all += count;
	if (isMultiplyAdd.test(name)) counts.multiplyAdds += count;
}

function shortOf(name) {
	const bare = name
		.replace(/^void /, '')
		.replaceAll('inbatch::', '')
		.replaceAll('cpu::', '');
	return bare.replace(/\([^<>]*\)( const)?$/, '').slice(0, 60);
}

function tableOf(functions) {
	const total = functions.reduce((sum, {all}) => sum + all, 0);
	const shown = functions.filter(({all}) => all > total / 500).sort((a, b) => b.all - a.all);
	const rows = shown.map(({name, all, multiplyAdds}) => [
		shortOf(name),
		(all / 1e6).toFixed(2),
		`${((100 * all) / total).toFixed(1)} %`,
		(multiplyAdds / 1e6).toFixed(2),
		multiplyAdds === 0 ? '' : (all / multiplyAdds).toFixed(3),
	]);
	const head = ['', 'millions', 'share', 'multiply-adds', 'instructions to each'];
	const last = ['all', (total / 1e6).toFixed(2), '', '', ''];
	return formatTable([head, ...rows, last], {align: ['left', ...Array(4).fill('right')]});
}
