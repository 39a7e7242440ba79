// Programs of this folder run in processes of their own, so that an abort fails a test and not the run.

import {spawn} from 'node:child_process';
import {join} from 'node:path';

export type Ended = {code: number | null; signal: string | null; output: string; errors: string};

/** Runs `node …args` in this folder to its end; `environment` adds variables. */
export function runNode(args: string[], environment: Record<string, string> = {}): Promise<Ended> {
	const child = spawn(process.execPath, args, {
		cwd: import.meta.dirname,
		env: {...process.env, ...environment},
	});
	let output = '';
	let errors = '';
	child.stdout.setEncoding('utf8').on('data', text => {
		output += text;
	});
	child.stderr.setEncoding('utf8').on('data', text => {
		errors += text;
	});
	return new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', (code, signal) => resolve({code, signal, output, errors}));
	});
}

/** What loading the add-on comes to in a process started with `options`: its path or `CODE message`. */
export async function loadingWith(
	options: string[],
	environment: Record<string, string> = {},
): Promise<string> {
	const source = `
		const {native} = await import(${JSON.stringify(addonUrl)});
		try { console.log(native().path); } catch (error) { console.log(error.code, error.message); }
	`;
	const args = [...options, '--input-type=module', '--eval', source];
	const {code, output, errors} = await runNode(args, environment);
	if (code !== 0) throw new Error(`expected the process to end by itself, got ${code}: ${errors}`);
	return output.trim();
}

const addonUrl = new URL('../../dist/native.js', `file://${join(import.meta.dirname, '/')}`).href;
