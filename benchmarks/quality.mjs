// Does training reach the quality that sentence-transformers reaches, and in what time? Each run trains both on the
// same rows in the same order, with the same model, batch, rate, schedule, lengths and seed, one after the other,
// and evaluates both by the same measure on data that neither has seen.
//
// The interval is the paired bootstrap of ours less theirs over queries or pairs. Seconds are those of the steps;
// of CPU seconds ours are those of the whole command, theirs those of the training alone.

import {execFile} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {openSets} from '../dist/evaluate/evaluate.js';
import {evaluateSchema} from '../dist/evaluate/options.js';
import {compareOutcomes, measure as measured} from '../dist/evaluate/outcome.js';
import {formatTable} from '../dist/files/table.js';
import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {data, retrievalSet, writeRows} from './quality-data.mjs';
import {runs} from './quality-runs.mjs';
import {commandEnvironment} from './rounds.mjs';

const execute = promisify(execFile);
const here = path => fileURLToPath(new URL(path, import.meta.url));
const main = here('../dist/cli/main.js');
const peer = here('./peers/quality.py');
const queries = 925;

/** What a run says nothing else about. */
const usual = {model: 'base', batchSize: 32, learningRate: 5e-5, maxLength: 64, seeds: [1]};

const heads = [
	...['', 'rows', 'seed', 'steps', 'measure', 'before', 'ours', 'theirs', 'ours less theirs'],
	...['s ours', 's theirs', 'CPU s ours', 'CPU s theirs', 'masked a query'],
];

export async function measure({model: base, python, threads = 2, run: wanted = ''}) {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-quality-'));
	const bench = {
		folder,
		base,
		python,
		threads,
		student: join(folder, 'student'),
		outcomes: new Map(),
	};
	const rows = [heads];
	try {
		const isWanted = ({name}) => wanted.split(',').some(prefix => name.startsWith(prefix));
		const asked = runs.filter(run => isWanted(run) && (python || run.model !== 'student'));
		if (!python) console.error('bench: no --python, so no peer stands beside, and no student');
		if (asked.some(({model}) => model === 'student')) {
			await theirs(bench, ['student', base, bench.student]);
		}
		for (const run of asked) {
			console.error(`\n${run.name}: ${run.what}`);
			for (const seed of run.seeds ?? usual.seeds) {
				const found = await trained(bench, {...usual, ...run, seed});
				for (const row of found) {
					rows.push(row);
					console.error(row.join(' | '));
				}
			}
		}
		console.log(formatTable(rows, {align: heads.map((_, n) => (n === 0 ? 'left' : 'right'))}));
	} finally {
		rmSync(folder, {recursive: true});
	}
}

/** Rows of the table: one for each width. */
async function trained(bench, run) {
	const {folder, base} = bench;
	const file = join(folder, 'rows.jsonl');
	const rows = await rowsOf(bench, run);
	writeRows(file, rows);
	const names = {base, teacher: join(folder, 'teacher.npy')};
	if (run.vectors) await encode(base, file, names.teacher, run);
	const start = run.model === 'base' ? base : bench.student;
	const [output, other] = [join(folder, 'ours'), join(folder, 'theirs')];
	const ours = await trainOurs(bench, run, {start, file, output, names});
	const {peer: asked} = run;
	const beside =
		bench.python && asked && (await trainTheirs(bench, run, {start, file, other, names}));
	const facts = [rows.length, run.seed, ours.steps].map(String);
	const times = [ours.seconds, beside?.seconds, ours.cpu, beside?.cpu].map(second);
	const table = [];
	for (const width of run.widths ?? [undefined]) {
		const name = `${run.name}${width ? ` ${width}` : ''}`;
		const quality = await compared(bench, run, {start, output, other: beside && other, width});
		table.push([name, ...facts, ...quality, ...times, maskedIn(output, ours.steps)]);
	}
	for (const path of [output, other]) rmSync(path, {recursive: true, force: true});
	return table;
}

async function rowsOf({base}, {rows, seed}) {
	const teacher = await EmbeddingModel.load(base);
	try {
		return await rows(seed, {teacher});
	} finally {
		await teacher.dispose();
	}
}

/** Runs our command; the CPU seconds are those that the shell says its children took. */
async function trainOurs({threads}, run, {start, file, output, names}) {
	const args = [
		...`train --model ${start} --data ${file} --output ${output} ${filled(run.flags, names)}`.split(
			' ',
		),
		...`--batch-size ${run.batchSize} --epochs 1 --learning-rate ${run.learningRate}`.split(' '),
		...`--schedule linear --warmup-ratio 0.1 --weight-decay 0.01 --clip 1 --seed ${run.seed}`.split(
			' ',
		),
		...`--max-length ${run.maxLength} --order file --allow-duplicates --keep 1 --no-report`.split(
			' ',
		),
	];
	if (run.dropout !== undefined) args.push('--dropout', String(run.dropout));
	console.error(`inbatch ${args.join(' ')}`);
	const timed = ['-c', '"$@" && times >&2', 'sh', process.execPath, main, ...args];
	const said = ['--threads', String(threads), '--json', '--quiet'];
	const {stdout, stderr} = await execute('sh', [...timed, ...said], {env: commandEnvironment});
	const spent = stderr
		.trimEnd()
		.split('\n')
		.at(-1)
		.matchAll(/(\d+)m([\d.]+)s/g);
	const cpu = [...spent].reduce((sum, [, minutes, rest]) => sum + 60 * minutes + Number(rest), 0);
	return {...JSON.parse(stdout), cpu};
}

async function trainTheirs(bench, run, {start, file, other, names}) {
	const {batchSize, learningRate, maxLength, dropout, seed} = run;
	const shared = {batchSize, learningRate, maxLength, dropout, seed, epochs: 1};
	const asked = {...run.peer, ...shared, model: start, data: file, output: other};
	const text = filled(JSON.stringify(asked), names);
	console.error(`peers/quality.py train '${text}'`);
	const {stdout} = await theirs(bench, ['train', text]);
	return JSON.parse(stdout.trimEnd().split('\n').at(-1));
}

/** Threads of OpenMP that wait asleep, so that waiting is not counted as work on a busy machine. */
function theirs({python, threads}, args) {
	const env = {...process.env, OMP_NUM_THREADS: String(threads), OMP_WAIT_POLICY: 'PASSIVE'};
	return execute(python, [peer, ...args], {env, maxBuffer: 2 ** 26});
}

function encode(model, input, output, {maxLength}) {
	const files = ['--model', model, '--input', input, '--output', output, '--overwrite'];
	const args = [main, 'encode', ...files, '--max-length', String(maxLength)];
	return execute(process.execPath, args, {env: commandEnvironment});
}

/** The measure before, of ours and of theirs, and the interval of the difference. */
async function compared(bench, run, {start, output, other, width}) {
	const isPairs = run.evaluation === 'sts';
	const metric = isPairs ? 'spearman_cosine' : 'ndcg@10';
	const kept = `${start} ${run.evaluation} ${run.maxLength} ${width}`;
	const {outcomes} = bench;
	if (!outcomes.has(kept)) outcomes.set(kept, await outcomeOf(bench, run, start, width));
	const before = outcomes.get(kept);
	const ours = await outcomeOf(bench, run, output, width);
	const numbers = [before, ours].map(({result}) => result.metrics[metric].toFixed(4));
	if (!other) return [metric, ...numbers, '-', '-'];
	const beside = await outcomeOf(bench, run, other, width);
	const {metrics, difference, interval} = await compareOutcomes(beside, ours, {seed: 0});
	const [low, high] = interval[metric].map(signed);
	const apart = `${signed(difference[metric])} (${low} to ${high})`;
	return [metric, ...numbers, metrics[metric].toFixed(4), apart];
}

async function outcomeOf({folder, threads}, {evaluation, maxLength}, path, dimensions) {
	const source =
		evaluation === 'sts'
			? {task: 'sts', source: join(data, 'sts/dev.jsonl')}
			: {task: 'retrieval', source: retrievalSet(evaluation, queries, folder)};
	const settings = evaluateSchema.parse({dimensions});
	const [set] = await openSets([source], settings);
	const model = await EmbeddingModel.load(path, {threads, maxLength});
	try {
		return await measured(model, set, settings, {});
	} finally {
		await model.dispose();
	}
}

/** Documents that each rule took from a query, on average over the run. */
function maskedIn(output, steps) {
	const log = readFileSync(join(output, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
	const sums = {};
	for (const line of log) {
		const {masked = {}, rows} = JSON.parse(line);
		for (const [rule, count] of Object.entries(masked)) {
			sums[rule] = (sums[rule] ?? 0) + count / rows / steps;
		}
	}
	const said = Object.entries(sums).map(([rule, share]) => `${rule} ${share.toFixed(2)}`);
	return said.join(', ') || '-';
}

function filled(text, names) {
	return text.replaceAll(/\{(\w+)\}/g, (_, name) => names[name]);
}

const second = value => (value === undefined ? '-' : value.toFixed(1));

const signed = value => `${value < 0 ? '' : '+'}${value.toFixed(4)}`;
