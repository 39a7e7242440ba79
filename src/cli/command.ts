// What a command is: its options, an example, and what it does with checked options. One file per
// command defines one with `defineCommand` and stands in the list of commands.ts.

import {z} from 'zod';
import {parseOptions} from '../options.js';
import type {Terminal} from './terminal.js';

/** What a command works with beside its options. */
export type Context = {
	terminal: Terminal;
	/** Aborts on Ctrl-C and SIGTERM. */
	signal: AbortSignal;
	/** Whether stdout is for one JSON object at the end. */
	json: boolean;
	/**
	Prints the object of --json, for a command whose outputs must not appear where it cannot be printed;
	what the command resolves to is then not printed again.
	*/
	summarize(summary: object): Promise<void>;
	/** The options of the command line in the order in which they were given. */
	order: readonly string[];
};

/** A command with checked options, ready to open files. Resolves to the object that --json prints. */
export type Run = (context: Context) => Promise<object>;

export type Command = {
	schema: z.ZodObject;
	/** Arguments of one call, as --help shows it. */
	example: string;
	/** The option that words without a flag give, as in `inbatch check pairs.jsonl`. */
	bare?: string | undefined;
	/** Checks options; what this throws is wrong usage. */
	prepare(values: object, place: (key: string) => string, common: Common): Run;
};

type Definition<S extends z.ZodObject> = {
	options: S;
	example: string;
	/** The option that words without a flag give. */
	bare?: keyof z.output<S> & string;
	/** What must hold between options; throws OPTION_* errors and opens no file. */
	check?: (options: z.output<S>, common: Common) => void;
	run: (options: z.output<S>, context: Context) => Promise<object>;
};

const group = 'Common:';

/** Options of every command. */
export const commonOptions = z.object({
	config: z.string().optional().meta({
		description: 'options from a JSON or YAML file; environment and command line come after it',
		placeholder: 'FILE',
		group,
	}),
	printConfig: z.boolean().default(false).meta({
		description: 'print all options and where each value came from, and do nothing else',
		group,
	}),
	json: z
		.boolean()
		.default(false)
		.meta({description: 'print one JSON object on stdout at the end', group}),
	quiet: z.boolean().default(false).meta({description: 'print no progress and no notes', group}),
});

export type CommonOptions = z.output<typeof commonOptions>;

/** What a check sees beside the options of its command. */
export type Common = CommonOptions & {
	/** The options that this call asks for, by command line or file: not those left to the environment. */
	asked: readonly string[];
};

export function defineCommand<S extends z.ZodObject>(definition: Definition<S>): Command {
	const {options, example, bare, check, run} = definition;
	return {
		schema: options,
		example,
		bare,
		prepare(values, place, common) {
			const checked = parseOptions(options, values, place);
			check?.(checked, common);
			return context => run(checked, context);
		},
	};
}
