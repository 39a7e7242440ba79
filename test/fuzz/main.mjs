// npm run fuzz -- [target…] [--seconds N | --inputs N] [--seed S] [--keep]: fuzzes readers of untrusted
// files, one target after the other, and says what each took and found. Seconds and inputs are of all
// targets together. --keep adds what reached new branches to the corpus; findings are always added.

import {createHash} from 'node:crypto';
import {mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {watch} from './watch.mjs';

const here = import.meta.dirname;
const mostKept = 24_000;
const names = readdirSync(join(here, 'targets'))
	.map(file => file.replace('.mjs', ''))
	.sort();

const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		seconds: {type: 'string'},
		inputs: {type: 'string'},
		seed: {type: 'string', default: '1'},
		keep: {type: 'boolean', default: false},
	},
});
const chosen = positionals.length > 0 ? positionals : names;
const unknown = chosen.find(name => !names.includes(name));
const share = value => Number(value) / chosen.length;
const seconds = values.seconds
	? share(values.seconds)
	: values.inputs
		? Infinity
		: 60 / chosen.length;
const inputs = values.inputs ? Math.ceil(share(values.inputs)) : Infinity;
if (unknown !== undefined || !(seconds > 0) || !(inputs > 0) || Number.isNaN(Number(values.seed))) {
	console.error(
		`fuzz: expected [${names.join('|')}] [--seconds N | --inputs N] [--seed S] [--keep]`,
	);
	process.exit(2);
}

let findings = 0;
let total = 0;
for (const name of chosen) {
	const target = new URL(`./targets/${name}.mjs`, import.meta.url).href;
	const corpus = join(here, 'corpus', name);
	const result = await watch({target, corpus, seconds, inputs, seed: Number(values.seed)});
	for (const {bytes, error} of result.findings) report(name, bytes, error);
	if (values.keep) for (const bytes of fewOf(result.kept)) put(name, 'kept', bytes);
	findings += result.findings.length;
	total += result.inputs;
	const rate = Math.round(result.inputs / result.seconds);
	const reached = `${result.branches} of ${result.of} branches`;
	console.log(
		`${name}: ${result.inputs} inputs in ${result.seconds.toFixed(1)} s (${rate}/s), ${reached}, ${result.findings.length} findings`,
	);
}
console.log(`${total} inputs, ${findings} findings`);
process.exitCode = findings > 0 ? 1 : 0;

/** Of inputs by rising length as many as a corpus may take in: all of them are part of the repository. */
function fewOf(kept) {
	let size = 0;
	return kept.filter(({length}) => {
		size += length;
		return size <= mostKept;
	});
}

function report(name, bytes, error) {
	console.log(`${name}: finding, kept as ${put(name, 'found', bytes)}\n${error}\n`);
}

function put(name, kind, bytes) {
	const folder = join(here, 'corpus', name);
	const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
	const path = join(folder, `${kind}-${hash}`);
	mkdirSync(folder, {recursive: true});
	writeFileSync(path, bytes);
	return path;
}
