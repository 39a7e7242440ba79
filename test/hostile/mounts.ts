// Small file systems for the tests of full and read-only disks. Mounting needs root; where that is not
// allowed, the tests say so by their names and are skipped.

import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {onTestFinished} from 'vitest';

function run(command: string, ...args: string[]): boolean {
	return spawnSync(command, args, {stdio: 'ignore'}).status === 0;
}

/** A file system in memory of so many kilobytes, gone when the test ends. */
export function mounted(kilobytes: number): string {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-mount-'));
	if (!run('mount', '-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder)) {
		rmSync(folder, {recursive: true});
		throw new Error('mount: not allowed');
	}
	onTestFinished(() => {
		run('umount', folder);
		rmSync(folder, {recursive: true});
	});
	return folder;
}

/** Forbids writing to a mounted file system. */
export function makeReadOnly(folder: string): void {
	if (!run('mount', '-o', 'remount,ro', folder)) throw new Error('remount: not allowed');
}

/** Fills a mounted file system until so many kilobytes are left. */
export function fill(folder: string, kilobytes: number, left: number): void {
	writeFileSync(join(folder, 'filler'), Buffer.alloc((kilobytes - left) * 1024, 1));
}

/** Everything below a folder but the filler. */
export function filesBelow(folder: string): string[] {
	const names = readdirSync(folder, {recursive: true, encoding: 'utf8'});
	return names.filter(name => name !== 'filler').sort();
}

export const canMount = (() => {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-mount-'));
	const isAllowed = run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder);
	if (isAllowed) run('umount', folder);
	rmSync(folder, {recursive: true});
	return isAllowed;
})();
