// What the machine must have before anything is built: Node, a C++20 compiler, CMake, make or ninja.
// What is missing is said in one line, with the commands that install it.

import {spawnSync} from 'node:child_process';
import {accessSync, constants} from 'node:fs';
import {delimiter, join} from 'node:path';

/** A failure whose message is all there is to say about it: no stack is shown. */
export class BuildError extends Error {}

const leastNode = [20, 19];
const leastCmake = [3, 24];

const tools = {
	compiler: {
		what: 'a C++20 compiler (g++ 11, clang 14 or newer)',
		find: hasCompiler,
		packages: {'apt-get': 'g++', dnf: 'gcc-c++', brew: 'gcc'},
	},
	cmake: {
		what: `CMake ${leastCmake.join('.')} or newer`,
		find: hasCmake,
		packages: {'apt-get': 'cmake', dnf: 'cmake', brew: 'cmake'},
	},
	make: {
		what: 'make or ninja',
		find: () => onPath('ninja') || onPath('make'),
		packages: {'apt-get': 'make', dnf: 'make', brew: 'make'},
	},
	python: {
		what: 'Python 3 (for node-gyp)',
		find: () => onPath('python3') || onPath('python'),
		packages: {'apt-get': 'python3', dnf: 'python3', brew: 'python3'},
	},
};

export function expectNode() {
	const version = process.versions.node;
	if (isAtLeast(version, leastNode)) return;
	throw new BuildError(`build: expected Node ${leastNode.join('.')} or newer, got ${version}`);
}

/** Refuses, in one line, a machine that lacks any of the tools named. */
export function expectTools(names) {
	const missing = names.map(name => tools[name]).filter(tool => !tool.find());
	if (missing.length === 0) return;
	const whats = new Intl.ListFormat('en').format(missing.map(tool => tool.what));
	const commands = ['apt-get', 'dnf', 'brew'].map(
		installer => `${installer} install ${missing.map(tool => tool.packages[installer]).join(' ')}`,
	);
	throw new BuildError(
		`build: expected ${whats}, found none; install with ${commands.join(', or ')}`,
	);
}

function hasCompiler() {
	const names = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++'];
	const compiler = names.find(onPath);
	if (compiler === undefined) return false;
	const input = '#include <atomic>\nvoid wake(std::atomic<int>& value) { value.notify_one(); }\n';
	const options = ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'];
	return spawnSync(compiler, options, {input, stdio: ['pipe', 'ignore', 'ignore']}).status === 0;
}

function hasCmake() {
	if (!onPath('cmake')) return false;
	const {stdout} = spawnSync('cmake', ['--version'], {encoding: 'utf8'});
	const version = /(\d+\.\d+)/.exec(stdout ?? '')?.[1];
	return version !== undefined && isAtLeast(version, leastCmake);
}

function isAtLeast(version, [major, minor]) {
	const [gotMajor, gotMinor] = version.split('.').map(Number);
	return gotMajor > major || (gotMajor === major && gotMinor >= minor);
}

function onPath(name) {
	if (name.includes('/')) return isExecutable(name);
	return (process.env.PATH ?? '').split(delimiter).some(folder => isExecutable(join(folder, name)));
}

function isExecutable(path) {
	try {
		accessSync(path, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}
