// Finds and opens the native binary: INBATCH_NATIVE alone when it is set, otherwise our own builds,
// then the published one. When none opens, says why and what was tried. Nothing is opened before the
// first call.

import {closeSync, existsSync, openSync, readSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import bindings from 'bindings';
import {EngineError} from './errors.js';

type Addon = {path: string};

/** A place where the binary was looked for; without an error, nothing was there. */
export type Attempt = {path: string; error?: Error & {code?: string}};

/** What decides which binary opens on a machine. */
export type Host = {name: string; libc: 'glibc' | 'musl'; glibc?: string | undefined};

const root = packageRoot();
const published = 'linux-x64';
const rebuild = 'run "npm run build" in the folder of the package';

/** Opens the add-on and adds to its exports the `path` it was found at; throws NATIVE_UNAVAILABLE. */
export function loadAddon(): Addon {
	const missing = missingFeatures(processorText());
	if (missing.length > 0) {
		throw unavailable(`expected a CPU of level x86-64-v2, got one without ${missing.join(', ')}`);
	}
	const tried: Attempt[] = [];
	for (const path of places()) {
		const outcome = open(path);
		if ('addon' in outcome) return outcome.addon;
		tried.push(outcome);
	}
	const list = tried.map(({path, error}) => `${path} (${firstLine(error)})`);
	const cause = tried.find(({error}) => error)?.error;
	throw unavailable(`${reasonOf(tried, host())}; tried ${list.join(', ')}`, cause);
}

/** Above dist/, where this module lies compiled, and dist/bundle/, where it lies bundled. */
function packageRoot(): string {
	let folder = dirname(fileURLToPath(import.meta.url));
	while (folder !== dirname(folder) && !existsSync(join(folder, 'package.json')))
		folder = dirname(folder);
	return folder;
}

/** What the flags in the text of /proc/cpuinfo lack of x86-64-v2; nothing when it has no flags. */
export function missingFeatures(text: string): string[] {
	const flags = /^flags\s*:(.*)$/m.exec(text)?.[1]?.split(/\s+/);
	if (flags === undefined) return [];
	const level = ['cx16', 'lahf_lm', 'pni', 'popcnt', 'sse4_1', 'sse4_2', 'ssse3'];
	return level.filter(feature => !flags.includes(feature));
}

/** Why all of these attempts failed on this machine, and what to do about it. */
export function reasonOf(tried: readonly Attempt[], {name, libc, glibc}: Host): string {
	const failed = tried.find(({error}) => error);
	if (failed?.error?.code === 'ERR_DLOPEN_DISABLED') {
		return 'expected add-ons to be allowed, got Node with --no-addons; start it without';
	}
	const library = /\b(GLIBC|GLIBCXX|CXXABI)_([\d.]+)/.exec(failed?.error?.message ?? '');
	if (library?.[1] === 'GLIBC') {
		return `expected glibc ${library[2]} or newer, got ${glibc ?? libc}; ${rebuild}`;
	}
	if (library) return `expected a libstdc++ with ${library[0]}, got an older one; ${rebuild}`;
	if (failed) return `expected ${failed.path} to open, got an error; ${rebuild}`;
	if (process.env.INBATCH_NATIVE)
		return 'expected INBATCH_NATIVE to name a file, got nothing there';
	if (name !== published || libc === 'musl') {
		const here = libc === 'musl' ? `${name} with musl` : name;
		return `expected a binary for ${here}, got none: only ${published} with glibc is published; ${rebuild}`;
	}
	return `expected a binary for ${name}, found none; ${rebuild}`;
}

function* places(): Generator<string> {
	const wish = process.env.INBATCH_NATIVE;
	if (wish) return yield resolve(wish);
	yield join(root, 'out', 'cmake', 'Release', 'inbatch.node');
	yield join(root, 'build', 'Release', 'inbatch.node');
	// A binary of another C library may end the process where it should fail to open.
	const {name, libc} = host();
	yield join(root, 'prebuilds', name, `inbatch.${libc}.node`);
}

function open(path: string): {addon: Addon} | Attempt {
	if (!existsSync(path)) return {path};
	if (!path.endsWith('.node')) return {path, error: new Error('not a .node file')};
	try {
		return {addon: bindings({bindings: 'inbatch', module_root: root, try: [[path]]})};
	} catch (error) {
		return {path, error: error as Error};
	}
}

function host(): Host {
	const name = `${process.platform}-${process.arch}`;
	const glibc = glibcVersion();
	return {name, libc: process.platform === 'linux' && !glibc ? 'musl' : 'glibc', glibc};
}

function glibcVersion(): string | undefined {
	const report = process.report as {excludeNetwork?: boolean} & NonNullable<typeof process.report>;
	const before = report.excludeNetwork ?? false;
	report.excludeNetwork = true; // or the report may wait for name servers
	try {
		const {header} = report.getReport() as {header?: {glibcVersionRuntime?: string}};
		return header?.glibcVersionRuntime;
	} finally {
		report.excludeNetwork = before;
	}
}

// The first kilobytes: they hold the first processor, and reading all is slow where there are many.
function processorText(): string {
	if (process.platform !== 'linux' || process.arch !== 'x64') return '';
	try {
		const file = openSync('/proc/cpuinfo', 'r');
		const bytes = Buffer.alloc(8192);
		const length = readSync(file, bytes);
		closeSync(file);
		return bytes.toString('latin1', 0, length);
	} catch {
		return '';
	}
}

function firstLine(error: Error | undefined): string {
	return error?.message.split('\n')[0] ?? 'no such file';
}

function unavailable(reason: string, cause?: unknown): EngineError {
	return new EngineError('NATIVE_UNAVAILABLE', `add-on: ${reason}`, {cause});
}
