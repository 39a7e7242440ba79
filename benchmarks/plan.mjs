// Does `plan` tell what a training then takes? Ten configurations, each planned and then trained in
// processes of their own.

import {execFile} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {cpus, tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {formatTable} from '../dist/files/table.js';
import {commandEnvironment} from './rounds.mjs';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const root = process.env.INBATCH_SHARED ?? '../shared';

/** The model, rows, and options beside them. */
const configurations = [
	['builtin', 128, '--batch-size 16'],
	['builtin', 256, '--batch-size 128 --optimizer lion'],
	['builtin', 256, '--batch-size 128 --chunk-tokens 2048 --document-max-length 64'],
	['minilm', 12, '--batch-size 4'],
	['minilm', 24, '--batch-size 12 --recompute blocks --document-max-length 128'],
	['minilm', 24, '--batch-size 12 --chunk-tokens 512 --document-max-length 128'],
	['minilm', 32, '--batch-size 16 --document-max-length 64 --optimizer adamw8'],
	[
		'minilm',
		16,
		'--batch-size 2 --accumulate 2 --accumulation separate --ema 0.99 --document-max-length 128',
	],
	[
		'minilm',
		24,
		'--batch-size 12 --document-max-length 48 --r-drop 4 --dropout 0.1 --optimizer lion',
	],
	[
		'minilm',
		24,
		'--batch-size 12 --chunk-tokens 256 --recompute blocks --optimizer adafactor --document-max-length 96',
	],
];

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
			const told = await command(['plan', ...args]);
			const output = ['--output', join(folder, 'out'), '--overwrite', '--no-report'];
			const taken = await command(['train', ...args, ...output]);
			const memory = [told.memory.peak / 2 ** 30, taken.peakMemoryBytes / 2 ** 30];
			const seconds = [told.seconds, taken.seconds];
			rows.push([`${name}, ${count} rows, ${options}`, ...compared(memory), ...compared(seconds)]);
			console.error(rows.at(-1).join(' | '), JSON.stringify(told.memory));
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
