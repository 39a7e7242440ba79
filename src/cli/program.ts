// The command line as commander sees it: names, flags, help. Only the command that is called is loaded.

import {Command as Commander, CommanderError} from 'commander';
import {EngineError} from '../errors.js';
import {nearest} from '../option-names.js';
import {optionFacts} from '../options.js';
import {type Command, commonOptions} from './command.js';
import {type CommandEntry, commands} from './commands.js';
import {type FlagFacts, flagsOf, isList, parseValue} from './flags.js';
import {helpLayout} from './help.js';
import {type Announcement, presetAt, translated} from './preset.js';
import type {Given} from './settings.js';
import {packageVersion} from './version.js';

/** The call that a command line makes; nothing when it only asked for help or the version. */
export type Call = {
	name: string;
	command: Command;
	facts: Record<string, FlagFacts>;
	given: Given[];
	/** What the user should see of a preset. */
	preset?: Announcement | undefined;
};

/** Reads arguments; prints help and version. Throws OPTION_* errors. */
export async function readCall(argv: readonly string[]): Promise<Call | undefined> {
	const [first, second] = argv;
	if (presetAt(argv) > 0) return readPreset(argv);
	const words = first === 'help' ? [...(second ? [second] : []), '--help'] : [...argv];
	return readWords(words);
}

/** The call that a preset makes of another system's command; its options say where they come from. */
async function readPreset(argv: readonly string[]): Promise<Call | undefined> {
	const entry = commands.find(({name}) => name === argv[0])!;
	const asked = await translated(argv, factsOf(await entry.load()));
	if (typeof asked === 'string') {
		process.stdout.write(asked);
		return undefined;
	}
	const {words, sourceOf, ...preset} = asked;
	const call = await readWords(words);
	if (!call) return undefined;
	const given = call.given.map(each => ({...each, ...sourceOf(each.key)}));
	return {...call, given, preset};
}

async function readWords(words: readonly string[]): Promise<Call | undefined> {
	const entry = commands.find(({name}) => name === words[0]);
	const program = bareProgram();
	const call = await addCommands(program, entry);
	try {
		if (words.length === 0) throw missingCommand();
		await program.parseAsync(words, {from: 'user'});
		return call;
	} catch (error) {
		if (!(error instanceof CommanderError)) throw error;
		if (error.exitCode === 0) return undefined;
		throw usageError(
			error,
			call,
			program.commands.flatMap(({args}) => args),
		);
	}
}

/** The facts of all options of a command, its own and those of every command. */
export function factsOf({schema}: Command): Record<string, FlagFacts> {
	return {...optionFacts(schema), ...optionFacts(commonOptions)};
}

function bareProgram(): Commander {
	return new Commander('inbatch')
		.description('Fine-tunes, evaluates and runs text-embedding models.')
		.version(packageVersion(), '-V, --version', 'print the version')
		.helpOption('-h, --help', 'show this')
		.helpCommand(false)
		.showSuggestionAfterError(false)
		.configureHelp(helpLayout)
		.configureOutput({writeErr: () => undefined})
		.exitOverride()
		.addHelpText('after', '\n`inbatch <command> --help` shows the options of a command.');
}

async function addCommands(
	program: Commander,
	called: CommandEntry | undefined,
): Promise<Call | undefined> {
	let call: Call | undefined;
	for (const entry of commands) {
		const sub = program.command(entry.name).summary(entry.summary).description(entry.summary);
		sub.helpOption('-h, --help', 'show this').allowExcessArguments(false);
		if (entry !== called) continue;
		const command = await entry.load();
		call = {name: entry.name, command, facts: factsOf(command), given: []};
		addFlags(sub, call);
		sub.addHelpText('after', `\nExample:\n  inbatch ${entry.name} ${command.example}`);
		addWords(sub, call);
	}
	return call;
}

/** Lets words without a flag give the option that the command says. */
function addWords(sub: Commander, {command: {bare}, facts, given}: Call): void {
	if (bare === undefined) {
		sub.action(() => undefined);
		return;
	}
	const fact = facts[bare] ?? {};
	const name = bare.toUpperCase();
	sub.argument(isList(fact) ? `[${name}...]` : `[${name}]`, fact.description);
	sub.action((words: string | string[] | undefined) => {
		for (const word of [words ?? []].flat()) {
			given.push({key: bare, value: parseValue(word, fact)});
		}
	});
}

function addFlags(sub: Commander, {facts, given}: Call): void {
	for (const [key, fact] of Object.entries(facts)) {
		for (const {option, parseValue} of flagsOf(key, fact)) {
			sub.addOption(option);
			sub.on(`option:${option.name()}`, (text: string | undefined) => {
				given.push({key, value: parseValue(text)});
			});
		}
	}
}

function missingCommand(): EngineError {
	const names = commands.map(({name}) => name).join(', ');
	const hint = 'inbatch --help says more';
	return new EngineError(
		'OPTION_MISSING',
		`inbatch: expected a command of ${names}, got none; ${hint}`,
	);
}

function usageError(
	error: CommanderError,
	call: Call | undefined,
	words: readonly string[],
): EngineError {
	const [, got = ''] = /'([^']*)'/.exec(error.message) ?? [];
	const where = call ? `inbatch ${call.name}` : 'inbatch';
	if (error.code === 'commander.optionMissingArgument') {
		const flag = got.split(' ')[0];
		return new EngineError('OPTION_MISSING', `${flag}: expected a value, got none`);
	}
	if (error.code === 'commander.excessArguments') {
		const message = `${where}: expected options only, got ${words.join(' ')}`;
		return new EngineError('OPTION_UNKNOWN', message);
	}
	const isOption = error.code === 'commander.unknownOption';
	const known = isOption ? flagNames(call) : commands.map(({name}) => name);
	const expected = isOption ? 'a known option' : 'a known command';
	const hint = `did you mean ${nearest(got, known)}?`;
	return new EngineError('OPTION_UNKNOWN', `${where}: expected ${expected}, got ${got}; ${hint}`);
}

function flagNames(call: Call | undefined): string[] {
	const flags = Object.entries(call?.facts ?? {}).flatMap(([key, fact]) => flagsOf(key, fact));
	return ['--help', ...(call ? [] : ['--version']), ...flags.map(({option}) => option.long ?? '')];
}
