// `inbatch info`: what this machine and this build have. Never fails: what is missing is the answer.

import {z} from 'zod';
import {type DeviceInfo, devices, findCards, physicalCores} from '../device.js';
import {formatTable} from '../files/table.js';
import {cacheFolder} from '../hub/settings.js';
import {native} from '../native.js';
import {defineCommand} from './command.js';
import {packageVersion} from './version.js';

type Engine = {kernels: string | null; binary: string | null; reason?: string};

type Info = {
	version: string;
	node: string;
	kernels: string | null;
	threads: number;
	devices: DeviceInfo[];
	/** What the binary was linked with or opens at run time, by name. */
	libraries: Record<string, string | null>;
	/** Where downloaded models lie. */
	cache: string;
	binary: string | null;
};

export const info = defineCommand({
	options: z.object({}),
	example: '--json',
	async run(_options, {terminal, json}) {
		await findCards();
		const found = gather();
		if (!json) process.stdout.write(`${table(found)}\n`);
		const reason = found.devices.find(device => device.name === 'cpu')?.reason;
		if (reason) terminal.warn(reason);
		return found;
	},
});

function gather(): Info {
	const {kernels, binary, reason} = engine();
	return {
		version: packageVersion(),
		node: process.version,
		kernels,
		threads: physicalCores(),
		devices: devices().map(device => (reason ? {...device, available: false, reason} : device)),
		libraries: {napi: process.versions.napi ?? null},
		cache: cacheFolder(),
		binary,
	};
}

function engine(): Engine {
	try {
		return {kernels: native().kernels(), binary: native().path};
	} catch (error) {
		return {
			kernels: null,
			binary: null,
			reason: error instanceof Error ? error.message : String(error),
		};
	}
}

function table({devices: found, ...facts}: Info): string {
	const rows = Object.entries(facts).map(([name, value]) => [name, textOf(value)]);
	const deviceRows = found.map(({name, card, capability, ...state}) => [
		`device ${name}`,
		[
			...(card === undefined ? [] : [`${card}, capability ${capability?.toFixed(1)}`]),
			stateOf(state),
		].join(', '),
	]);
	return formatTable([...rows, ...deviceRows], {align: ['left', 'left']});
}

function stateOf({available, reason, memoryBytes, dtypes}: Omit<DeviceInfo, 'name'>): string {
	if (!available) return `not available: ${reason ?? ''}`;
	return `${(memoryBytes / 2 ** 30).toFixed(1)} GiB, computes in ${dtypes.join(' or ')}`;
}

function textOf(value: unknown): string {
	if (typeof value !== 'object' || value === null) return String(value ?? 'none');
	return Object.entries(value)
		.map(([name, version]) => `${name} ${version ?? 'none'}`)
		.join(', ');
}
