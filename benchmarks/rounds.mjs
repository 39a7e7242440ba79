// Candidates take turns until the time is up, so that a busy minute of the machine meets all of them;
// the table gives the median, the best and the share of the FMA peak measured between the turns.

import {spawn} from 'node:child_process';
import {appendFileSync, readFileSync} from 'node:fs';
import {cpus} from 'node:os';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {openDevice} from '../dist/device.js';
import {formatTable} from '../dist/files/table.js';

/**
@typedef {{name: string, run: () => Promise<number>, count?: number, beside?: string | null}} Candidate
run() resolves to seconds; `count`, where it is not the question's; `beside`, the name of ours that it is
compared with, where that is not the first; null where it is compared with none
*/

const {version} = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const versions = {node: process.versions.node, inbatch: version};

/** Where tables are kept as lines of JSON beside being printed, see plots.mjs; the model that titles name. */
export const record = {file: undefined, model: undefined};

/** The command refuses variables of benchmarks. */
export const commandEnvironment = {PATH: process.env.PATH};

export function device(threads) {
	return openDevice({device: 'cpu', ...(threads && {threads})});
}

/**
@param {{candidates: Candidate[], seconds: number, computing: object, gflop: number, unit: string, count: number}} question
gflop and count are those of one run; without gflop the share is that of the candidate named `limit`
*/
export async function rounds(question) {
	const {candidates, seconds, computing, gflop, unit, count, limit} = question;
	const title = [question.title, record.model].filter(Boolean).join(', ');
	for (const candidate of candidates) await candidate.run();
	const times = candidates.map(() => []);
	const peaks = [];
	const end = performance.now() + seconds * 1000;
	while (performance.now() < end || times[0].length < 5) {
		peaks.push(await computing.native.peak());
		for (const [n, candidate] of candidates.entries()) times[n].push(await candidate.run());
	}
	for (const candidate of candidates) candidate.close?.();
	const peak = Math.max(...peaks);
	const rates = candidates.map(({count: own = count}, n) => own / median(times[n]));
	const most = gflop ? (count * peak) / gflop : rates[candidates.findIndex(c => c.name === limit)];
	const shares = rates.map(rate => rate / most);
	const of = gflop ? 'of FMA peak' : `of ${limit ?? 'limit'}`;
	const rows = [['', `${unit}/s median`, 'best', 'GFLOP/s', of, 'ours is']];
	for (const [n, {name, count: own = count, beside}] of candidates.entries()) {
		const ours = beside ? candidates.findIndex(candidate => candidate.name === beside) : 0;
		const middle = median(times[n]);
		const best = Math.min(...times[n]);
		rows.push([
			name,
			(own / middle).toFixed(1),
			(own / best).toFixed(1),
			gflop ? (gflop / middle).toFixed(0) : '-',
			most ? `${(100 * shares[n]).toFixed(0)} %` : '-',
			n === ours || beside === null ? '' : `${(rates[ours] / rates[n]).toFixed(2)}x`,
		]);
	}
	const {model} = cpus()[0];
	const date = new Date().toISOString().slice(0, 10);
	keep(
		{title, unit, peak, cpu: model.trim(), kernels: computing.kernels},
		{
			threads: computing.threads,
			date,
			...versions,
			candidates: candidates.map(({name}, n) => ({
				name,
				rate: rates[n],
				...(most && {share: shares[n]}),
			})),
		},
	);
	const machine = `${model.trim()}, ${computing.kernels}, ${computing.threads} threads`;
	const told = `peak ${peak.toFixed(0)} GFLOP/s, ${times[0].length} rounds, ${date}`;
	console.log(`\n${title}: ${machine}, ${told}, Node ${versions.node}, inbatch ${version}`);
	console.log(formatTable(rows, {align: ['left', 'right', 'right', 'right', 'right', 'right']}));
}

export function median(values) {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[sorted.length >> 1];
}

export async function timed(work) {
	const begun = performance.now();
	await work();
	return (performance.now() - begun) / 1000;
}

/** The candidates of a Python file in peers/: it names them, then runs one per line it is sent. */
export async function peers(python, file, args, threads) {
	if (!python) {
		console.error('bench: no --python, so no peer stands beside');
		return [];
	}
	const env = {...process.env, OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads)};
	const script = fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
	const child = spawn(python, [script, ...args.map(String)], {
		stdio: ['pipe', 'pipe', 'inherit'],
		env,
	});
	const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
	const next = async () => {
		const {value, done} = await lines.next();
		if (done) throw new Error(`bench: ${file} ended`);
		return JSON.parse(value);
	};
	const names = await next();
	return names.map((name, n) => ({
		name,
		run: async () => {
			child.stdin.write(`${n}\n`);
			return next();
		},
		close: () => child.stdin.end(),
	}));
}

function keep(...parts) {
	if (!record.file) return;
	appendFileSync(record.file, `${JSON.stringify(Object.assign({}, ...parts))}\n`);
}
