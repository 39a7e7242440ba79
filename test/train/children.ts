// Training in processes that can be killed.

import {type ChildProcess, spawn} from 'node:child_process';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {onTestFinished} from 'vitest';
import type {TrainOptions} from '../../dist/train/train.js';
import type {TrainResult} from '../../dist/train/trainer.js';

export type Ended = {
	/** What the process printed. */
	lines: string[];
	signal: NodeJS.Signals | null;
	result: TrainResult | undefined;
};

type Options = Partial<TrainOptions> & {model: string; threads?: number};

/** What is done to the process when it prints a line. */
export type Act = {line: string; act: (child: ChildProcess) => void};

/** Trains in a process of its own. */
export function trainApart(options: Options, {line, act}: Partial<Act> = {}): Promise<Ended> {
	const script = join(import.meta.dirname, 'child.mjs');
	const child = spawn(process.execPath, [script, JSON.stringify(options)], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	onTestFinished(() => void child.kill('SIGKILL'));
	const lines: string[] = [];
	createInterface(child.stdout).on('line', printed => {
		lines.push(printed);
		if (printed === line) act?.(child);
	});
	return new Promise(resolve => {
		child.on('close', (_, signal) => {
			const found = lines.find(printed => printed.startsWith('result '));
			const result = found && (JSON.parse(found.slice('result '.length)) as TrainResult);
			resolve({lines, signal, result: result || undefined});
		});
	});
}

/** Trains until the process prints `line`, then kills it some milliseconds later. */
export function killedAfter(line: string, delay: number, options: Options): Promise<Ended> {
	return trainApart(options, {
		line,
		act: child => void setTimeout(() => child.kill('SIGKILL'), delay),
	});
}
