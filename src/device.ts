// Which device computes, and with how many threads.

import {readFileSync} from 'node:fs';
import {availableParallelism, totalmem} from 'node:os';
import {EngineError} from './errors.js';
import {type NativeCards, type NativeDevice, native} from './native.js';

export type DeviceOptions = {
	/** `auto` is the first usable card, else the CPU. Default auto. */
	device?: string | undefined;
	/** Default: the physical cores this process may use. */
	threads?: number | undefined;
	/**
	What is computed in. Default: f32 on the cpu, bf16 on a card, where f32 is the plain path. bf16: rows of tokens and what
	products read; sums, norms, softmax, embeddings, losses, gradients of weights and the weights that are trained stay
	f32. int8, on the cpu only: products of weights of 7 bits (a scale for each output) with rows of 8 (a scale for each
	token), for encoding only.
	*/
	dtype?: string | undefined;
};

export type Dtype = 'f32' | 'bf16' | 'int8';

/** What the devices of a kind compute in; the first unless another is asked for. */
const dtypes = {
	cpu: ['f32', 'int8'],
	cuda: ['bf16', 'f32'],
} as const satisfies Record<string, Dtype[]>;

export type Device = {
	/** As it is printed: `cpu` or `cuda:0`. */
	name: string;
	kernels: string;
	dtype: Dtype;
	threads: number;
	/** Of a card; the memory of the cpu is what the process may take. */
	memoryBytes?: number;
	/** What a person should know: of cards that `auto` passed over. */
	warnings: readonly string[];
	native: NativeDevice;
};

export type DeviceInfo = {
	/** As `device` names it: `cpu`, `cuda:0`; `cuda` where there is no card. */
	name: string;
	available: boolean;
	reason?: string;
	memoryBytes: number;
	/** What it computes in, the first unless another is asked for. */
	dtypes: readonly Dtype[];
	/** What its maker calls the card. */
	card?: string;
	/** The compute capability of the card, as 9.0. */
	capability?: number;
};

/**
Has the driver of cards start, which may take a second, on a thread of its own. After it devices() knows the
answer, be it why there are none.
*/
export async function findCards(): Promise<void> {
	try {
		await native().findCards();
	} catch {
		// An add-on that does not load; devices() says why.
	}
}

/**
The devices of this machine and why one cannot be used. Starts nothing on them; the first of all questions waits
for the driver of cards.
*/
export function devices(): DeviceInfo[] {
	const cpu = {name: 'cpu', available: true, memoryBytes: totalmem(), dtypes: dtypes.cpu};
	return [cpu, ...cardsHere()];
}

const noCard = 'this machine has no card';

function cardsHere(): DeviceInfo[] {
	const {list, reason = noCard} = knownCards();
	if (list.length === 0) {
		return [{name: 'cuda', available: false, reason, memoryBytes: 0, dtypes: dtypes.cuda}];
	}
	return list.map(({name, capability, memoryBytes, reason: own}, index) => ({
		name: `cuda:${index}`,
		available: own === undefined,
		...(own !== undefined && {reason: own}),
		memoryBytes,
		dtypes: dtypes.cuda,
		card: name,
		capability,
	}));
}

function knownCards(): NativeCards {
	try {
		return native().cards();
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		return {list: [], absent: true, reason};
	}
}

/** Opens a device; refuses what it cannot do. */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
	const {device = 'auto', threads, dtype} = options;
	if (!/^(cpu|auto|cuda(:\d{1,3})?)$/.test(device)) {
		throw new EngineError(
			'OPTION_RANGE',
			`device: expected cpu, cuda, cuda:<i> or auto, got ${device}`,
		);
	}
	if (device !== 'cpu') await findCards();
	const card = device === 'cpu' ? undefined : chosenCard(device);
	const name = card?.name ?? 'cpu';
	const supported: readonly Dtype[] = dtypes[card ? 'cuda' : 'cpu'];
	const computed = dtype === undefined ? supported[0] : supported.find(one => one === dtype);
	if (computed === undefined) {
		const expected = `expected ${supported.join(' or ')} on ${card ? 'a card' : 'the cpu'}`;
		throw new EngineError('DTYPE_UNSUPPORTED', `dtype: ${expected}, got ${dtype}`);
	}
	const count = threads ?? physicalCores();
	if (!Number.isInteger(count) || count < 1 || count > 1024) {
		throw new EngineError(
			'OPTION_RANGE',
			`threads: expected a whole number from 1 to 1024, got ${count}`,
		);
	}
	const where = card ? {card: Number(name.slice('cuda:'.length))} : count;
	const opened = new (native().Device)(where);
	const kernels = card ? `sm_${Math.round(10 * (card.capability ?? 0))}` : native().kernels();
	const memory = card && {memoryBytes: card.memoryBytes};
	const warnings = device === 'auto' && !card ? passedOver() : [];
	return {name, kernels, dtype: computed, threads: count, ...memory, warnings, native: opened};
}

/** Why `auto` left the cards of this machine alone; nothing where there is no card or no driver. */
function passedOver(): string[] {
	const {list, absent, reason = noCard} = knownCards();
	const refused = list.map(({name, reason}, index) => `cuda:${index} (${name}): ${reason}`);
	const all = list.length > 0 || absent ? refused : [reason];
	const said = all.join('; ');
	return said === '' ? [] : [`device 'auto' computes on the cpu, no card can be used: ${said}`];
}

/** The card that `cuda`, `cuda:<i>` or `auto` means; for `auto` there may be none. */
function chosenCard(device: string): DeviceInfo | undefined {
	const cards = cardsHere();
	const usable = cards.find(({available}) => available);
	if (device === 'auto') return usable;
	const asked = cards.find(({name}) => name === device);
	const found = device === 'cuda' ? usable : asked;
	if (found?.available) return found;
	const [first] = cards;
	const isAbsent = asked === undefined && device !== 'cuda' && first?.name !== 'cuda';
	const reason = isAbsent
		? `expected a card below ${cards.length}`
		: ((asked ?? first)?.reason ?? noCard);
	throw new EngineError('DEVICE_UNAVAILABLE', `device '${device}' is not available: ${reason}`);
}

/** Physical cores that affinity and the control group leave to this process. */
export function physicalCores(): number {
	const allowed = availableParallelism();
	const quota = groupQuota();
	return Math.max(1, Math.min(coresOf(allowedCpus()) ?? allowed, allowed, quota ?? allowed));
}

function text(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8').trim();
	} catch {
		return undefined; // not Linux, or not mounted: the caller knows what to do without
	}
}

function groupQuota(): number | undefined {
	const [quota, period] = (text('/sys/fs/cgroup/cpu.max') ?? 'max').split(' ').map(Number);
	const cores = quota! / period!;
	return Number.isFinite(cores) && cores > 0 ? Math.max(1, Math.floor(cores)) : undefined;
}

/** The processors of the affinity mask: `0-3,8` and the like. */
function allowedCpus(): number[] {
	const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(text('/proc/self/status') ?? '')?.[1] ?? '';
	return list.split(',').flatMap(range => {
		const [first, last = first] = range.split('-').map(Number);
		const isRange = Number.isInteger(first) && Number.isInteger(last);
		return isRange ? Array.from({length: last! - first! + 1}, (_, n) => first! + n) : [];
	});
}

function coresOf(cpus: readonly number[]): number | undefined {
	const cores = new Set(
		cpus.map(
			cpu => text(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`) ?? `${cpu}`,
		),
	);
	return cores.size > 0 ? cores.size : undefined;
}
