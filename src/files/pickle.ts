// A reader of pickles that executes nothing. It knows the operations that writing a table of tensors
// needs and builds plain data: null, booleans, numbers, strings, arrays, maps. A name of a Python
// object means what the caller's closed list says, and any other is refused.

import {setImmediate} from 'node:timers/promises';
import {EngineError, kindOf} from '../errors.js';

/** Makes a value of what a pickle calls a function with. */
export type Maker = (args: readonly unknown[]) => unknown;

/** A Python object that a pickle names; without `make` it is a name and nothing else. */
export class PickleName {
	readonly name: string;
	readonly make: Maker | undefined;

	constructor(name: string, make?: Maker) {
		this.name = name;
		this.make = make;
	}
}

export interface PickleOptions {
	/** For messages. */
	path: string;
	/** First byte. */
	begin?: number;
	/** All names that may occur, as `module.object`. */
	names: ReadonlyMap<string, PickleName>;
	/** The value of an id that stands for data outside the pickle. */
	persistent?: (id: unknown) => unknown;
}

const mostOnStack = 2 ** 16;
const deepestMark = 2 ** 10;
const mostRemembered = 2 ** 21;
const longestLine = 256;
const stepsAtOnce = 2 ** 14;

/** Reads one pickle, a turn of the event loop at a time. */
export async function readPickle(
	bytes: Uint8Array,
	options: PickleOptions,
): Promise<{value: unknown; end: number}> {
	const reader = new PickleReader(bytes, options);
	while (!reader.run(stepsAtOnce)) await setImmediate();
	return {value: reader.value, end: reader.end};
}

/** Throws the error of a pickle that is refused. */
export function refusePickle(path: string, expected: string, got: string): never {
	throw new EngineError('FILE_FORMAT', `${path}: expected ${expected}, got ${got}`);
}

/** One pickle being read. */
export class PickleReader {
	readonly #bytes: Buffer;
	readonly #options: PickleOptions;
	readonly #stack: unknown[] = [];
	/** Heights of the stack. */
	readonly #marks: number[] = [];
	readonly #memo = new Map<number, unknown>();
	#at: number;
	#isDone = false;

	constructor(bytes: Uint8Array, options: PickleOptions) {
		this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		this.#options = options;
		this.#at = options.begin ?? 0;
	}

	/** Does `most` operations; true when the pickle is at its end. */
	run(most: number): boolean {
		for (let n = 0; n < most && !this.#isDone; n++) {
			const at = this.#at;
			const code = this.#bytes[this.#take(1)]!;
			const operation = PickleReader.#operations.get(code);
			if (!operation) {
				this.#refuse('operations of a state dict', `0x${code.toString(16)} at byte ${at}`);
			}

			operation(this);
			if (this.#stack.length > mostOnStack) this.#refuse('a smaller pickle', 'a stack too high');
		}

		return this.#isDone;
	}

	get value(): unknown {
		return this.#stack[0];
	}

	/** The byte behind the last. */
	get end(): number {
		return this.#at;
	}

	static readonly #operations: ReadonlyMap<number, (r: PickleReader) => void> = new Map([
		[0x80, r => r.#protocol(r.#unsigned(1))],
		[0x95, r => r.#frame(r.#unsigned(8))],
		[0x28, r => r.#mark()], // (
		[0x2e, r => r.#stop()], // .
		[0x4e, r => r.#push(null)], // N
		[0x88, r => r.#push(true)],
		[0x89, r => r.#push(false)],
		[0x4a, r => r.#push(r.#bytes.readInt32LE(r.#take(4)))], // J
		[0x4b, r => r.#push(r.#unsigned(1))], // K
		[0x4d, r => r.#push(r.#unsigned(2))], // M
		[0x47, r => r.#push(r.#bytes.readDoubleBE(r.#take(8)))], // G
		[0x8a, r => r.#push(r.#long(r.#unsigned(1)))],
		[0x8b, r => r.#push(r.#long(r.#unsigned(4)))],
		[0x58, r => r.#push(r.#text(r.#unsigned(4)))], // X
		[0x8c, r => r.#push(r.#text(r.#unsigned(1)))],
		[0x8d, r => r.#push(r.#text(r.#unsigned(8)))],
		[0x55, r => r.#push(r.#text(r.#unsigned(1)))], // U, a string of Python 2
		[0x54, r => r.#push(r.#text(r.#unsigned(4)))], // T
		[0x29, r => r.#push([])], // )
		[0x5d, r => r.#push([])], // ]
		[0x7d, r => r.#push(new Map())], // }
		[0x74, r => r.#push(r.#sinceMark())], // t
		[0x85, r => r.#push(r.#pop(1))],
		[0x86, r => r.#push(r.#pop(2))],
		[0x87, r => r.#push(r.#pop(3))],
		[0x61, r => r.#append(r.#pop(1))], // a
		[0x65, r => r.#append(r.#sinceMark())], // e
		[0x73, r => r.#set(r.#pop(2))], // s
		[0x75, r => r.#set(r.#sinceMark())], // u
		[0x71, r => r.#remember(r.#unsigned(1))], // q
		[0x72, r => r.#remember(r.#unsigned(4))], // r
		[0x94, r => r.#remember(r.#memo.size)],
		[0x68, r => r.#recall(r.#unsigned(1))], // h
		[0x6a, r => r.#recall(r.#unsigned(4))], // j
		[0x63, r => r.#name([r.#line(), r.#line()])], // c
		[0x93, r => r.#name(r.#pop(2))],
		[0x52, r => r.#call(r.#pop(2))], // R
		[0x62, r => r.#build(r.#pop(1))], // b
		[0x51, r => r.#persistent(r.#pop(1))], // Q
	]);

	#refuse(expected: string, got: string): never {
		return refusePickle(this.#options.path, expected, got);
	}

	/** The place of the next `count` bytes, which are there. */
	#take(count: number): number {
		const at = this.#at;
		if (count > this.#bytes.length - at) this.#refuse('a whole pickle', 'one that is cut');
		this.#at = at + count;
		return at;
	}

	#unsigned(width: 1 | 2 | 4 | 8): number {
		const at = this.#take(width);
		if (width < 8) return this.#bytes.readUIntLE(at, width);
		return Number(this.#bytes.readBigUInt64LE(at));
	}

	#long(width: number): number | bigint {
		if (width > 255) this.#refuse('whole numbers of at most 255 bytes', `one of ${width}`);
		const at = this.#take(width);
		let value = 0n;
		for (let n = width - 1; n >= 0; n--) value = (value << 8n) | BigInt(this.#bytes[at + n]!);
		const signed = BigInt.asIntN(8 * width, value);
		return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
	}

	#text(length: number): string {
		const at = this.#take(length);
		return this.#bytes.toString('utf8', at, at + length);
	}

	#line(): string {
		const line = this.#bytes.subarray(this.#at, this.#at + longestLine);
		const end = line.indexOf(0x0a);
		if (end < 0 && line.length < longestLine) this.#refuse('a whole pickle', 'one that is cut');
		if (end < 0) this.#refuse(`names of at most ${longestLine} bytes`, 'a longer one');
		return this.#text(end + 1).slice(0, -1);
	}

	#push(value: unknown): void {
		this.#stack.push(value);
	}

	#pop(count: number): unknown[] {
		const floor = this.#marks.at(-1) ?? 0;
		const from = this.#stack.length - count;
		if (from < floor) this.#refuse('operands on the stack', 'none');
		return this.#stack.splice(from);
	}

	/** The value on top, which stays. */
	#top(): unknown {
		const [value] = this.#pop(1);
		this.#push(value);
		return value;
	}

	#mark(): void {
		this.#marks.push(this.#stack.length);
		if (this.#marks.length > deepestMark) this.#refuse('a flat pickle', 'one nested too deep');
	}

	#sinceMark(): unknown[] {
		const from = this.#marks.pop();
		if (from === undefined) this.#refuse('a mark on the stack', 'none');
		return this.#stack.splice(from);
	}

	#protocol(version: number): void {
		if (version > 5) this.#refuse('a pickle of protocol 2 to 5', `${version}`);
	}

	#frame(length: number): void {
		if (length > this.#bytes.length - this.#at) this.#refuse('a whole pickle', 'one that is cut');
	}

	#stop(): void {
		const isOne = this.#stack.length === 1 && this.#marks.length === 0;
		if (!isOne) this.#refuse('one value in a pickle', `${this.#stack.length}`);
		this.#isDone = true;
	}

	#append(values: readonly unknown[]): void {
		const list = this.#top();
		if (!Array.isArray(list)) this.#refuse('a list to append to', kindOf(list));
		for (const value of values) list.push(value);
	}

	#set(pairs: readonly unknown[]): void {
		const map = this.#top();
		if (!(map instanceof Map) || pairs.length % 2 !== 0) {
			this.#refuse('pairs for a dict', `${pairs.length} values for ${kindOf(map)}`);
		}

		for (let n = 0; n < pairs.length; n += 2) map.set(pairs[n], pairs[n + 1]);
	}

	#remember(place: number): void {
		if (this.#memo.size >= mostRemembered) this.#refuse('a smaller pickle', 'a memo too large');
		this.#memo.set(place, this.#top());
	}

	#recall(place: number): void {
		if (!this.#memo.has(place)) this.#refuse('a value remembered before', `place ${place}`);
		this.#push(this.#memo.get(place));
	}

	#name([module, object]: readonly unknown[]): void {
		if (typeof module !== 'string' || typeof object !== 'string') {
			this.#refuse('a name of two strings', `${kindOf(module)} and ${kindOf(object)}`);
		}

		const name = `${module}.${object}`;
		const known = this.#options.names.get(name);
		if (known === undefined) {
			const got = `${JSON.stringify(name.slice(0, 120))}, which is not allowed`;
			this.#refuse('the names of a state dict alone', `${got}: nothing in such a file is ever run`);
		}

		this.#push(known);
	}

	#call([name, args]: readonly unknown[]): void {
		const isName = name instanceof PickleName;
		if (!isName || name.make === undefined || !Array.isArray(args)) {
			this.#refuse('a call of a known function', `one of ${isName ? name.name : kindOf(name)}`);
		}

		this.#push(name.make(args));
	}

	/** Attributes of an object are no part of the data. */
	#build(_: readonly unknown[]): void {
		const value = this.#top();
		if (typeof value !== 'object' || value === null) {
			this.#refuse('an object to put attributes on', kindOf(value));
		}
	}

	#persistent([id]: readonly unknown[]): void {
		const {persistent} = this.#options;
		if (!persistent) this.#refuse('a pickle without data elsewhere', 'one that refers to some');
		this.#push(persistent(id));
	}
}
