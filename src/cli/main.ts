#!/usr/bin/env node
// `inbatch`: reads the command line, runs one command, and turns its end into an exit code.
//
// 0 done · 1 failed · 2 wrong usage, known before the command opens a file · 130 Ctrl-C · 143 SIGTERM

import {EngineError} from '../errors.js';
import {systemCode, writeFailure} from '../files/failures.js';
import type {Context, Run} from './command.js';
import {Interruption, interruptible} from './interrupts.js';
import {readCall} from './program.js';
import {openTerminal} from './terminal.js';

type Prepared = {run: Run; context: Omit<Context, 'signal' | 'summarize'>};

async function main(argv: readonly string[]): Promise<number> {
	let prepared: Prepared | undefined;
	try {
		prepared = await prepare(argv);
	} catch (error) {
		return report(error, 2);
	}
	return prepared ? execute(prepared) : 0;
}

/** A command with checked options; nothing where the command line only asked to be shown something. */
async function prepare(argv: readonly string[]): Promise<Prepared | undefined> {
	const call = await readCall(argv);
	if (!call) return undefined;
	const {configure} = await import('./configure.js');
	const configured = await configure(call);
	if (!configured) return undefined;
	const {run, json, quiet} = configured;
	const order = call.given.map(({key}) => key);
	return {run, context: {terminal: openTerminal({quiet}), json, order}};
}

async function execute({run, context}: Prepared): Promise<number> {
	const signal = interruptible();
	try {
		const summarize = async (summary: object) => {
			if (context.json) await printSummary(summary, signal);
		};
		await summarize(await run({...context, signal, summarize}));
		return 0;
	} catch (error) {
		if (!(signal.reason instanceof Interruption)) return report(error, 1);
		process.stderr.write(`${signal.reason.message}\n`);
		return signal.reason.exitCode;
	}
}

let isSummaryPrinted = false;

/** Prints the first summary it is given. A reader that has gone away is no reason to end a command. */
async function printSummary(summary: object, signal: AbortSignal): Promise<void> {
	if (isSummaryPrinted) return;
	isSummaryPrinted = true;
	await new Promise<void>((resolve, reject) => {
		signal.addEventListener('abort', () => reject(signal.reason), {once: true});
		process.stdout.write(`${JSON.stringify(summary)}\n`, error => {
			const isTaken = !error || systemCode(error) === 'EPIPE';
			if (isTaken) resolve();
			else reject(writeFailure('output', error));
		});
	});
}

/** One line for people and programs; the stack only on demand. */
function report(error: unknown, exitCode: number): number {
	const code = error instanceof EngineError ? error.code : 'INTERNAL';
	const message = error instanceof Error ? error.message : String(error);
	process.stderr.write(`error ${code}: ${message.replaceAll(/\s*[\r\n]+\s*/g, ' ')}\n`);
	if (process.env.INBATCH_DEBUG === '1') console.error(error);
	return exitCode;
}

/** A reader of our output that has gone away wants no more: that is no failure. */
function guardStreams(): void {
	for (const stream of [process.stdout, process.stderr]) {
		stream.on('error', (error: NodeJS.ErrnoException) => {
			if (isSummaryPrinted && stream === process.stdout) return; // printSummary saw it
			if (error.code === 'EPIPE') process.exit(0);
			process.exit(report(writeFailure('output', error), 1));
		});
	}
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
	await new Promise<void>(resolve => {
		stream.write('', () => resolve());
	});
}

guardStreams();
process.on('uncaughtException', error => process.exit(report(error, 1)));
const exitCode = await main(process.argv.slice(2));
// Who stops a command waits for no more of its output, and a reader that stands still never takes it.
const wanted = exitCode > 2 ? [process.stderr] : [process.stdout, process.stderr];
await Promise.all(wanted.map(flushed));
process.exit(exitCode);
