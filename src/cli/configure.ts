// From a call to a command that is ready to run: options of all places merged, checked, or printed.

import type {z} from 'zod';
import {kebabCase} from '../option-names.js';
import {type OptionFacts, parseOptions} from '../options.js';
import {type CommonOptions, commonOptions, type Run} from './command.js';
import {commands} from './commands.js';
import {announce} from './preset.js';
import {type Call, factsOf} from './program.js';
import {gatherSettings, type Settings, variableOf} from './settings.js';

type Configured = CommonOptions & {run: Run};

/** Nothing when --print-config asked for the options only. */
export async function configure(call: Call): Promise<Configured | undefined> {
	const {command, facts, given, preset} = call;
	const settings = await gatherSettings(facts, given, isVariableOfAnother);
	const place = (key: string) =>
		settings.get(key)?.place ?? preset?.placeOf(key) ?? `--${kebabCase(key)}`;
	const common = parseOptions(commonOptions, pick(settings, commonOptions), place);
	const values = pick(settings, command.schema);
	if (preset) announce(preset, {...common, below: await settingsBelow(call)});
	if (!common.printConfig) {
		// A variable is set for many calls, so what it says need not fit this one.
		const asked = [...settings.keys()].filter(key => place(key) !== variableOf(key));
		return {...common, run: command.prepare(values, place, {...common, asked})};
	}
	parseOptions(command.schema.partial(), values, place);
	process.stdout.write(printed(facts, settings, common.json));
	return undefined;
}

/** What a file and the environment say, which an option of a preset comes after. */
async function settingsBelow({facts, given}: Call): Promise<Settings> {
	const files = given.filter(({key}) => key === 'config');
	return gatherSettings(facts, files, isVariableOfAnother);
}

async function isVariableOfAnother(name: string): Promise<boolean> {
	for (const entry of commands) {
		const facts = factsOf(await entry.load());
		if (Object.keys(facts).some(key => variableOf(key) === name)) return true;
	}
	return false;
}

function pick(settings: Settings, schema: z.ZodObject): Record<string, unknown> {
	const keys = Object.keys(schema.shape).filter(key => settings.has(key));
	return Object.fromEntries(keys.map(key => [key, settings.get(key)?.value]));
}

/** JSON, or YAML that --config reads again, each value with its origin. */
function printed(facts: Record<string, OptionFacts>, settings: Settings, json: boolean): string {
	const rows = Object.entries(facts)
		.filter(([key]) => key !== 'config' && key !== 'printConfig')
		.map(([key, {default: standard}]) => {
			const {value, origin} = settings.get(key) ?? {value: standard, origin: 'default'};
			return {name: kebabCase(key), value: value ?? null, origin};
		});
	if (json) {
		const entries = rows.map(({name, value, origin}) => [name, {value, origin}]);
		return `${JSON.stringify(Object.fromEntries(entries))}\n`;
	}
	return rows
		.map(({name, value, origin}) => `${name}: ${JSON.stringify(value)} # ${origin}\n`)
		.join('');
}
