// Everything that a machine with a card is asked: node scripts/gpu.mjs FOLDER [--only PART,...] [--trial]
// [--python PATH]. Writes FOLDER/gpu.json after each part; a part that fails or runs out of time stops no
// other, and what could not run is said there. --trial stands the emulated card in, with tiny sizes.
// node scripts/gpu.mjs --pack FILE makes an archive of what a bare machine lacks (see docs/gpu.md).

import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {cpus, tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {parts} from './gpu/parts.mjs';

const program = fileURLToPath(import.meta.url);
const {values, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		only: {type: 'string', default: parts.map(({name}) => name).join(',')},
		trial: {type: 'boolean', default: false},
		python: {type: 'string', default: process.env.INBATCH_PYTHON ?? 'python3'},
		pack: {type: 'string'},
		// For this program's own children: the part to run, and the file its answer is kept in.
		part: {type: 'string'},
		answer: {type: 'string'},
	},
});

if (values.pack) {
	const {pack} = await import('./gpu/parcel.mjs');
	await pack(resolve(values.pack));
} else if (values.part) {
	await runHere(parts.find(({name}) => name === values.part));
} else {
	process.exitCode = await runAll(chosen());
}

function chosen() {
	const names = values.only.split(',');
	const unknown = names.find(name => !parts.some(part => part.name === name));
	if (unknown !== undefined || positionals.length !== 1) {
		const list = parts.map(({name}) => name).join(', ');
		console.error(
			unknown === undefined
				? 'gpu: expected one folder for the results, or --pack FILE'
				: `gpu: expected parts of ${list}, got ${unknown}`,
		);
		process.exit(2);
	}
	return parts.filter(({name}) => names.includes(name));
}

async function runAll(asked) {
	const folder = resolve(positionals[0]);
	mkdirSync(folder, {recursive: true});
	const file = join(folder, 'gpu.json');
	const [{model}] = cpus();
	const about = {date: new Date().toISOString(), cpu: model, node: process.version};
	const report = {...about, trial: values.trial, parts: {}};
	for (const part of asked) {
		report.parts[part.name] = await runApart(part);
		writeFileSync(file, `${JSON.stringify(report, null, '\t')}\n`);
		const {state, seconds, reason = ''} = report.parts[part.name];
		console.error(`gpu: ${part.name}: ${state} after ${seconds} s ${reason}`);
	}
	console.error(`gpu: ${file}`);
	return Object.values(report.parts).every(({state}) => state === 'passed') ? 0 : 1;
}

/** A part in a process group of its own, which ends with its time. */
async function runApart({name, limit: usual}) {
	// The emulated card takes its time.
	const limit = values.trial ? 4 * usual : usual;
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-gpu-'));
	const answer = join(folder, 'answer.json');
	const options = ['--part', name, '--answer', answer, '--python', values.python];
	if (values.trial) options.push('--trial');
	const begun = performance.now();
	const child = spawn(process.execPath, [program, ...options], {
		detached: true,
		stdio: ['ignore', 2, 2],
	});
	let isLate = false;
	const clock = setTimeout(() => {
		isLate = true;
		process.kill(-child.pid, 'SIGKILL');
	}, limit * 1000);
	await new Promise(done => child.on('close', done));
	clearTimeout(clock);
	const seconds = Number(((performance.now() - begun) / 1000).toFixed(1));
	const kept = existsSync(answer)
		? JSON.parse(readFileSync(answer, 'utf8'))
		: {state: 'failed', reason: 'ended before it said anything'};
	rmSync(folder, {recursive: true});
	if (isLate) return {...kept, state: 'out of time', reason: `more than ${limit} s`, seconds};
	return {...kept, seconds};
}

/** Runs one part; `keep` is called as results become known, so that a part that is ended has some. */
async function runHere({run}) {
	let known = {};
	const keep = more => {
		known = {...known, ...more};
		writeFileSync(
			values.answer,
			JSON.stringify({state: 'failed', reason: 'ended before its end', ...known}),
		);
	};
	try {
		const {passed, ...result} = await run({...values, keep});
		keep({...result, state: passed ? 'passed' : 'failed', reason: result.reason});
	} catch (error) {
		keep({state: error.isMissing ? 'not run' : 'failed', reason: String(error.message)});
	}
	process.exit(0);
}
