// Runs the built command as a user does, in a folder of its own.

import {type ChildProcess, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll} from 'vitest';

const root = join(import.meta.dirname, '..', '..');

export const bert = join(root, 'test', 'fixtures', 'families', 'bert');
export const main = join(root, 'dist', 'cli', 'main.js');

export type Ended = {
	code: number | null;
	/** What ended it, where a signal did. */
	signal?: NodeJS.Signals | undefined;
	stdout: string;
	stderr: string;
};

export type Settings = {
	input?: string;
	/** Standard input does not end. */
	keepOpen?: boolean;
	env?: Record<string, string>;
	/** Sent when this appears on stderr. */
	interrupt?: {signal: NodeJS.Signals; at: string};
	/** Reads this much of stdout, then closes it. */
	closeAfter?: number;
	/** Sees the process when it has begun. */
	onStart?: (child: ChildProcess) => void;
};

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-cli-'));
	afterAll(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

export function inbatch(args: readonly string[], settings: Settings = {}): Promise<Ended> {
	const {input = '', keepOpen = false, env = {}, interrupt, closeAfter, onStart} = settings;
	const child = spawn(process.execPath, [main, ...args], {env: {PATH: process.env.PATH, ...env}});
	onStart?.(child);
	let isInterrupted = false;
	const ended: Ended = {code: null, stdout: '', stderr: ''};
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		ended.stdout += text;
		if (closeAfter !== undefined && ended.stdout.length >= closeAfter) child.stdout.destroy();
	});
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		ended.stderr += text;
		if (interrupt === undefined || isInterrupted || !ended.stderr.includes(interrupt.at)) return;
		isInterrupted = true;
		child.kill(interrupt.signal);
	});
	child.stdin.on('error', () => undefined); // a command that fails early reads nothing
	child.stdin.write(input);
	if (!keepOpen) child.stdin.end();
	return new Promise(resolve => {
		child.on('close', (code, signal) => resolve({...ended, code, signal: signal ?? undefined}));
	});
}
