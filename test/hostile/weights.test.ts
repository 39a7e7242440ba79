// Weight files that lie, through the command: one line with code and file, and nothing left behind.

import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {inbatch} from '../cli/command-line.js';
import {modelFolder} from '../model/folders.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-lies-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, {recursive: true, force: true}));

type Header = Record<string, {dtype: string; shape: number[]; data_offsets: [number, number]}>;

/** The file with another header, its data as they are. */
function withHeader(bytes: Buffer, change: (header: Header, names: string[]) => unknown): Buffer {
	const length = Number(bytes.readBigUInt64LE());
	const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Header;
	const names = Object.keys(header).filter(name => name !== '__metadata__');
	change(header, names);
	const text = Buffer.from(JSON.stringify(header));
	const prefix = Buffer.alloc(8);
	prefix.writeBigUInt64LE(BigInt(text.length));
	return Buffer.concat([prefix, text, bytes.subarray(8 + length)]);
}

function withLength(bytes: Buffer, length: bigint): Buffer {
	const changed = Buffer.from(bytes);
	changed.writeBigUInt64LE(length);
	return changed;
}

const lies: [string, (bytes: Buffer) => Buffer, RegExp][] = [
	['a header of 2^64 - 1 bytes', b => withLength(b, 2n ** 64n - 1n), /a header of at most/],
	['a header of 2^63 bytes', b => withLength(b, 2n ** 63n), /a header of at most/],
	['a header longer than the file', b => withLength(b, BigInt(b.length)), /got a file of \d+/],
	['a header of nothing', b => withLength(b, 0n), /a header/],
	['a header cut short', b => withLength(b, 100n), /a header of JSON/],
	[
		'tensors that overlap',
		b => withHeader(b, (h, [x, y]) => Object.assign(h, {[y!]: h[x!]})),
		/to begin at byte|data up to byte|a file of/,
	],
	[
		'counts that overflow 2^53',
		b => withHeader(b, (h, [x]) => Object.assign(h[x!]!, {shape: [2 ** 40, 2 ** 40]})),
		/a size in whole bytes/,
	],
	[
		'counts that overflow 2^64 to a small one',
		b => withHeader(b, (h, [x]) => Object.assign(h[x!]!, {shape: [2 ** 32, 2 ** 32, 1]})),
		/a size in whole bytes/,
	],
	[
		'offsets beyond the file',
		b => withHeader(b, (h, [x]) => Object.assign(h[x!]!, {data_offsets: [2 ** 50, 2 ** 50 + 4]})),
		/bytes for/,
	],
	['half its data', b => b.subarray(0, b.length / 2), /data up to byte \d+/],
];

test.each(lies)('%s', async (name, lie, message) => {
	const path = modelFolder(at(name));
	const file = join(path, 'model.safetensors');
	writeFileSync(file, lie(readFileSync(file)));
	const options = ['--model', path, '--pooling', 'mean', '--quiet'];
	const args = ['encode', ...options, '--input', '-', '--output', at('out.npy')];
	const {code, stdout, stderr} = await inbatch(args, {input: 'a text\n'});
	expect({code, stdout}).toEqual({code: 1, stdout: ''});
	expect(stderr).toMatch(/^error SAFETENSORS_INVALID: [^\n]*: expected [^\n]*, got [^\n]*\n$/);
	expect(stderr).toContain(file);
	expect(stderr).toMatch(message);
	expect(readdirSync(folder).filter(entry => /^\.|^out/.test(entry))).toEqual([]);
});
