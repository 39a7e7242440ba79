// Does `plan` tell what a training then takes? Ten configurations, each planned and then trained in
// processes of their own, in turns: a run takes ten seconds, so that it is the steps that count, and
// the medians of three rounds stand in the table.

import {execFile} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {cpus, tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {formatTable} from '../dist/files/table.js';
import {commandEnvironment, median} from './rounds.mjs';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const root = process.env.INBATCH_SHARED ?? '../shared';

/** The model, rows, and options beside them. */
const configurations = [
	['builtin', 512, '--batch-size 16'],
	['builtin', 1024, '--batch-size 128 --optimizer lion'],
	['builtin', 1024, '--batch-size 128 --chunk-tokens 2048 --document-max-length 64'],
	['minilm', 96, '--batch-size 4'],
	['minilm', 192, '--batch-size 12 --recompute blocks --document-max-length 128'],
	['minilm', 192, '--batch-size 12 --chunk-tokens 512 --document-max-length 128'],
	['minilm', 256, '--batch-size 16 --document-max-length 64 --optimizer adamw8'],
	[
		'minilm',
		128,
		'--batch-size 2 --accumulate 2 --accumulation separate --ema 0.99 --document-max-length 128',
	],
	[
		'minilm',
		192,
		'--batch-size 12 --document-max-length 48 --r-drop 4 --dropout 0.1 --optimizer lion',
	],
	[
		'minilm',
		192,
		'--batch-size 12 --chunk-tokens 256 --recompute blocks --optimizer adafactor --document-max-length 96',
	],
];

const rounds = 3;

export async function measure({model}) {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-plan-'));
	try {
		const lines = readFileSync(join(root, 'data/medquad/train.jsonl'), 'utf8').split('\n');
		const rows = [['', 'GiB told', 'taken', 'apart', 's told', 'taken', 'apart']];
		for (const [name, count, options] of configurations) {
			const data = join(folder, 'rows.jsonl');
			writeFileSync(data, lines.slice(0, count).join('\n'));
			const path = name === 'builtin' ? name : model;
			const args = ['--model', path, '--data', data, '--json', '--quiet', ...options.split(' ')];
			const output = ['--output', join(folder, 'out'), '--overwrite', '--no-report'];
			const told = [];
			const taken = [];
			for (let round = 0; round < rounds; round++) {
				told.push(await command(['plan', ...args]));
				taken.push(await command(['train', ...args, ...output]));
			}
			const memory = [
				median(told.map(({memory}) => memory.peak / 2 ** 30)),
				median(taken.map(({peakMemoryBytes}) => peakMemoryBytes / 2 ** 30)),
			];
			const seconds = [told, taken].map(runs => median(runs.map(({seconds}) => seconds)));
			rows.push([`${name}, ${count} rows, ${options}`, ...compared(memory), ...compared(seconds)]);
			console.error(rows.at(-1).join(' | '));
		}
		console.log(
			`\n${cpus()[0].model.trim()}, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
		);
		console.log(formatTable(rows, {align: ['left', ...Array(6).fill('right')]}));
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}

function compared([told, taken]) {
	const apart = (100 * (told - taken)) / taken;
	return [told.toFixed(2), taken.toFixed(2), `${apart > 0 ? '+' : ''}${apart.toFixed(1)} %`];
}

async function command(args) {
	const settings = {maxBuffer: 2 ** 26, env: commandEnvironment};
	const {stdout} = await run(process.execPath, [main, ...args], settings);
	return JSON.parse(stdout);
}
