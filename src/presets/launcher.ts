// What stands before the options of a documented command: variables, nohup, torchrun, python, accelerate,
// deepspeed. It says how many processes train together and which program is meant.

import {readFileSync} from 'node:fs';
import {parse} from 'yaml';
import {EngineError} from '../errors.js';

export type Launched = {
	/** `retrievals.pipelines.embed`, `train_embedding.py`; nothing where only options are given. */
	program: string | undefined;
	/** Over all machines. */
	processes: number;
	/** The largest norm of gradients, where the launcher has one: that of DeepSpeed. */
	clip?: number;
	/** The words after the program. */
	rest: readonly string[];
	/** What should be said. */
	says: readonly string[];
};

const launchers = new Set(['torchrun', 'python', 'python3', 'accelerate', 'deepspeed', 'nohup']);
const launcherModules =
	/^(torch\.distributed\.(launch|run)|accelerate\.commands\.launch|deepspeed)$/;

/** Takes the launcher off. A command that begins with an option has none. */
export function readLauncher(words: readonly string[]): Launched {
	const variables = words.slice(
		0,
		countWhile(words, word => /^[A-Z_][A-Z0-9_]*=/.test(word)),
	);
	const line = words.slice(variables.length);
	if (!isLaunched(line)) return {program: undefined, processes: 1, rest: line, says: []};
	const at = programAt(line);
	const isModule = /^(-m|--module)$/.test(line[at - 1] ?? '');
	const before = line.slice(0, isModule ? at - 1 : at);
	const says: string[] = [];
	const settings = settingsIn(flagOf(before, ['config_file']), says);
	const visible = visibleDevices(variables);
	const processes = processesOf(before, {visible, settings, says});
	const clip = clipOf(settings);
	const found = {program: line[at], processes, rest: line.slice(at + 1), says};
	return clip === undefined ? found : {...found, clip};
}

function isLaunched([first = '', script]: readonly string[]): boolean {
	if (/^(ba|z)?sh$/.test(baseName(first))) {
		const expected = 'expected the command of a training program';
		const hint = 'put the training command that the script holds there';
		const message = `--preset: ${expected}, got the script ${script ?? 'of a shell'}; ${hint}`;
		throw new EngineError('OPTION_CONFLICT', message);
	}

	return launchers.has(baseName(first)) || first.endsWith('.py');
}

/** The place of the script, or of the module behind -m. */
function programAt(line: readonly string[]): number {
	const at = line.findIndex((word, index) => {
		if (/^(-m|--module)$/.test(line[index - 1] ?? '')) return !launcherModules.test(word);
		return word.endsWith('.py');
	});
	if (at >= 0) return at;
	const message = `--preset: expected a script or -m and a module after ${line[0]}, got none`;
	throw new EngineError('OPTION_MISSING', message);
}

type Around = {visible: number; settings: AccelerateSettings; says: string[]};

function processesOf(words: readonly string[], {visible, settings, says}: Around): number {
	const flag = (...names: string[]) => flagOf(words, names);
	const nodes = countOf(flag('nnodes', 'num_nodes', 'num_machines')) ?? 1;
	const perNode = flag('nproc_per_node', 'num_gpus');
	if (perNode !== undefined) {
		return nodes * (countOf(perNode) ?? automaticCount(perNode, visible, says));
	}
	const all = countOf(flag('num_processes')) ?? countOf(textOf(settings.num_processes));
	if (all !== undefined) return all;
	const takesAll = words.some(word => ['deepspeed', 'accelerate'].includes(baseName(word)));
	return nodes * (takesAll ? Math.max(1, visible) : 1);
}

/** `--nproc_per_node gpu`: as many as there are visible devices. */
function automaticCount(word: string, visible: number, says: string[]): number {
	if (visible === 0) says.push(`${word} processes: no devices are named here, so 1 is taken`);
	return Math.max(1, visible);
}

/** What is read of the file of `accelerate launch --config_file`. */
type AccelerateSettings = {
	num_processes?: unknown;
	distributed_type?: unknown;
	deepspeed_config?: {gradient_clipping?: unknown} | null;
};

function settingsIn(path: string | undefined, says: string[]): AccelerateSettings {
	if (path === undefined) return {};
	try {
		return (parse(readFileSync(path, 'utf8')) as AccelerateSettings | null) ?? {};
	} catch {
		says.push(
			`${path}: cannot be read here, so each visible device is a process; --num_processes N says how many`,
		);
		return {};
	}
}

/** `auto` is 1 in accelerate. */
function clipOf({distributed_type: kind, deepspeed_config: config}: AccelerateSettings) {
	if (kind !== 'DEEPSPEED') return undefined;
	const clip = config?.gradient_clipping;
	if (clip === 'auto') return 1;
	return typeof clip === 'number' ? clip : undefined;
}

function textOf(value: unknown): string | undefined {
	return value === undefined ? undefined : String(value);
}

function visibleDevices(variables: readonly string[]): number {
	const list = variables.find(word => word.startsWith('CUDA_VISIBLE_DEVICES='))?.split('=')[1];
	return (list ?? '').split(',').filter(part => part.trim() !== '').length;
}

/** The value of the first of several flags; `--nproc-per-node` is `--nproc_per_node`. */
function flagOf(words: readonly string[], names: readonly string[]): string | undefined {
	for (const [index, word] of words.entries()) {
		const [, name = '', value] = /^--?([\w-]+)(?:=(.*))?$/.exec(word) ?? [];
		if (names.includes(name.replaceAll('-', '_'))) return value ?? words[index + 1];
	}
	return undefined;
}

/** `2`, or of `1:2` the larger. */
function countOf(text: string | undefined): number | undefined {
	const [, count] = /^(?:\d+:)?(\d+)$/.exec(text ?? '') ?? [];
	return count === undefined || Number(count) === 0 ? undefined : Number(count);
}

function countWhile<T>(values: readonly T[], holds: (value: T) => boolean): number {
	const end = values.findIndex(value => !holds(value));
	return end < 0 ? values.length : end;
}

function baseName(path: string): string {
	return path.split('/').at(-1) ?? path;
}
