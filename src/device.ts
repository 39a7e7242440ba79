// Which device computes, and with how many threads.

import {readFileSync} from 'node:fs';
import {availableParallelism, totalmem} from 'node:os';
import {EngineError} from './errors.js';
import {type NativeDevice, native} from './native.js';

export type DeviceOptions = {
	/** `auto` is the first usable card, else the CPU. Default auto. */
	device?: string | undefined;
	/** Default: the physical cores this process may use. */
	threads?: number | undefined;
	/**
	What is computed in. Default f32. int8: products of weights of 7 bits (a scale for each output) with
	rows of 8 (a scale for each token), for encoding only.
	*/
	dtype?: string | undefined;
};

/** What the cpu computes in. */
const dtypes = ['f32', 'int8'] as const;
export type Dtype = (typeof dtypes)[number];

export type Device = {
	/** As it is printed: `cpu`. */
	name: string;
	kernels: string;
	dtype: Dtype;
	threads: number;
	native: NativeDevice;
};

export type DeviceInfo = {name: string; available: boolean; reason?: string; memoryBytes: number};

const noCuda = 'this build has no CUDA';

/** The devices of this machine and why one cannot be used. */
export function devices(): DeviceInfo[] {
	return [
		{name: 'cpu', available: true, memoryBytes: totalmem()},
		{name: 'cuda', available: false, reason: noCuda, memoryBytes: 0},
	];
}

/** Opens a device; refuses what it cannot do. */
export function openDevice({device = 'auto', threads, dtype = 'f32'}: DeviceOptions = {}): Device {
	if (/^cuda(:\d+)?$/.test(device)) {
		throw new EngineError('DEVICE_UNAVAILABLE', `device '${device}' is not available: ${noCuda}`);
	}
	if (device !== 'cpu' && device !== 'auto') {
		throw new EngineError(
			'OPTION_RANGE',
			`device: expected cpu, cuda, cuda:<i> or auto, got ${device}`,
		);
	}
	const computed = dtypes.find(one => one === dtype);
	if (computed === undefined) {
		const expected = `expected ${dtypes.join(' or ')} on the cpu`;
		throw new EngineError('DTYPE_UNSUPPORTED', `dtype: ${expected}, got ${dtype}`);
	}
	const count = threads ?? physicalCores();
	if (!Number.isInteger(count) || count < 1 || count > 1024) {
		throw new EngineError(
			'OPTION_RANGE',
			`threads: expected a whole number from 1 to 1024, got ${count}`,
		);
	}
	const opened = new (native().Device)(count);
	const kernels = native().kernels();
	return {name: 'cpu', kernels, dtype: computed, threads: count, native: opened};
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
