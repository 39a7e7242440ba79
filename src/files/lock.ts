// A lock file beside an output, so that two processes never write the same one. It names its
// process by id and start time, so neither a dead process nor another one with the same id holds
// it. For processes of one machine.

import {closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {EngineError} from '../errors.js';
import {atExit} from './at-exit.js';
import {systemCode, writeFailure} from './failures.js';

export interface Lock {
	/** Gives the output free. At the end of the process this happens by itself. */
	release: () => void;
}

let count = 0;

/**
Locks an output until `release`; throws OUTPUT_LOCKED when a running process (this one too) holds
it. The calls are synchronous because they are few and tiny, and nothing may come between them.
*/
export function lockOutput(output: string): Lock {
	const file = join(dirname(output), `.${basename(output)}.lock`);
	const own = `${process.pid} ${startOf(process.pid)}`;
	try {
		for (let attempt = 0; attempt < 10; attempt++) {
			if (create(file, own)) return lockOf(file);
			clear(file, output);
		}
	} catch (error) {
		throw writeFailure(output, error);
	}

	throw new EngineError('OUTPUT_LOCKED', `${output}: expected a free output, got others in a row`);
}

function lockOf(file: string): Lock {
	let isHeld = true;
	const release = () => {
		if (isHeld) rmSync(file, {force: true});
		isHeld = false;
		forget();
	};
	const forget = atExit(release);
	return {release};
}

/** Makes the lock file with its content at once; false when there is one. */
function create(file: string, content: string): boolean {
	const draft = `${file}.${process.pid}.${count++}`;
	write(draft, content);
	try {
		linkSync(draft, file);
		return true;
	} catch (error) {
		// ENOENT: the process that holds the lock cleared our draft as a leftover.
		if (['EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) return false;
		if (!isWithoutLinks(error)) throw error;
		return createExclusive(file, content);
	} finally {
		rmSync(draft, {force: true});
	}
}

function isWithoutLinks(error: unknown): boolean {
	return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemCode(error) ?? '');
}

function createExclusive(file: string, content: string): boolean {
	try {
		write(file, content);
		return true;
	} catch (error) {
		if (systemCode(error) === 'EEXIST') return false;
		throw error;
	}
}

/** Makes a file. A full disk leaves the name without the content, so it is taken away again. */
function write(file: string, content: string): void {
	const descriptor = openSync(file, 'wx');
	try {
		writeSync(descriptor, content);
	} catch (error) {
		rmSync(file, {force: true});
		throw error;
	} finally {
		closeSync(descriptor);
	}
}

/** Takes away the lock of a dead process; throws when its process runs. */
function clear(file: string, output: string): void {
	refuseIfHeld(read(file), output);
	// Of several processes that see the dead lock only one moves it; what it moved is looked at again, because
	// meanwhile another may have put its own in place.
	const aside = `${file}.${process.pid}.${count++}`;
	try {
		renameSync(file, aside);
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return;
		throw error;
	}

	try {
		refuseIfHeld(read(aside), output);
	} catch (error) {
		renameSync(aside, file);
		throw error;
	}

	rmSync(aside, {force: true});
}

function read(file: string): string {
	try {
		return readFileSync(file, 'utf8');
	} catch (error) {
		if (systemCode(error) === 'ENOENT') return '';
		throw error;
	}
}

function refuseIfHeld(content: string, output: string): void {
	const [id = '', start = ''] = content.trim().split(' ');
	const pid = Number(id);
	if (!Number.isSafeInteger(pid) || pid <= 0 || !isRunning(pid, start)) return;
	const got = pid === process.pid ? 'this process writing it already' : `process ${pid} writing it`;
	throw new EngineError('OUTPUT_LOCKED', `${output}: expected a free output, got ${got}`);
}

function isRunning(pid: number, start: string): boolean {
	const now = startOf(pid);
	return now !== '' && now === start;
}

/**
When a process began, in ticks of the machine; empty for one that is gone or only waits to be
reaped. Where there is no /proc, `running` for any process that exists.
*/
function startOf(pid: number): string {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
		// The name of the program, in parentheses, may hold blanks; state is the first field behind it.
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
	} catch {
		return process.platform === 'linux' ? '' : probe(pid);
	}
}

function probe(pid: number): string {
	try {
		process.kill(pid, 0);
		return 'running';
	} catch (error) {
		return systemCode(error) === 'EPERM' ? 'running' : '';
	}
}
