// The reader of pickles: what it builds, and that it runs nothing and gives up on what is too large.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {PickleName, readPickle} from '../../dist/files/pickle.js';
import {many, op, pickle} from './torch-bytes.js';

const names = new Map([
	['torch.Size', new PickleName('torch.Size', ([value]) => value)],
	['torch.FloatStorage', new PickleName('torch.FloatStorage')],
]);

const read = async (bytes: Uint8Array, persistent?: (id: unknown) => unknown) =>
	readPickle(bytes, {path: 'x.pkl', names, ...(persistent && {persistent})});
const built = async (...parts: readonly Uint8Array[]) => (await read(pickle(...parts))).value;

describe('a pickle becomes plain data:', () => {
	test.each([
		['nothing', [op.none], null],
		['a truth', [op.true], true],
		['a whole number', [op.int(-5)], -5],
		['a number of no bytes', [op.long1()], 0],
		['a negative long number', [op.long1(0xff)], -1],
		['a long number', [op.long1(0, 0, 0, 0, 0, 0, 0, 0, 1)], 1n << 64n],
		['a text', [op.text('zwölf')], 'zwölf'],
		['a list', [op.emptyList, op.mark, op.int(1), op.int(2), op.appends], [1, 2]],
		['a tuple in a tuple', [op.int(1), op.tuple1, op.int(2), op.tuple2], [[1], 2]],
		['a value met again', [op.text('a'), op.put(70000), op.get(70000), op.tuple2], ['a', 'a']],
		[
			'a dict',
			[op.emptyDict, op.mark, op.text('a'), op.int(1), op.text('b'), op.none, op.setItems],
			new Map<string, unknown>([
				['a', 1],
				['b', null],
			]),
		],
		[
			'what an allowed name makes',
			[op.global('torch', 'Size'), op.int(3), op.tuple1, op.tuple1, op.reduce],
			[3],
		],
		[
			'an object without its attributes',
			[op.emptyDict, op.emptyDict, op.text('_metadata'), op.int(1), op.setItem, op.build],
			new Map(),
		],
	] as const)('%s', async (_, parts, expected) => {
		expect(await built(...parts)).toEqual(expected);
	});

	test('data elsewhere by their id', async () => {
		const bytes = pickle(op.text('id'), op.persistent);
		expect((await read(bytes, id => ({id}))).value).toEqual({id: 'id'});
		await expect(read(bytes)).rejects.toThrow('a pickle without data elsewhere');
	});

	test('one after the other in the same bytes', async () => {
		const [first, second] = [pickle(op.int(1)), pickle(op.int(2))];
		const bytes = Buffer.concat([first, second]);
		const {end} = await read(bytes);
		expect(end).toBe(first.length);
		const next = await readPickle(bytes, {path: 'x.pkl', begin: end, names});
		expect(next).toEqual({value: 2, end: bytes.length});
	});
});

describe('a name that is not on the list is refused:', () => {
	const run = [op.text('echo no'), op.tuple1, op.reduce];
	test.each([
		['os.system', [op.global('os', 'system'), ...run]],
		['builtins.eval', [op.global('builtins', 'eval'), ...run]],
		['builtins.getattr', [op.shortText('builtins'), op.shortText('getattr'), op.stackGlobal]],
		['torch.load', [op.global('torch', 'load')]],
		['torch.storage._load_from_bytes', [op.global('torch.storage', '_load_from_bytes')]],
		['__builtin__.__import__', [op.global('__builtin__', '__import__'), ...run]],
		['torch.Size.__class__', [op.global('torch', 'Size.__class__')]],
		['torch.Size', [op.global('torch.Size', ''), ...run]],
		['constructor.constructor', [op.global('constructor', 'constructor')]],
	] as const)('%s', async (name, parts) => {
		await expect(built(...parts)).rejects.toMatchObject({
			code: 'FILE_FORMAT',
			message: expect.stringMatching(/^x\.pkl: .* got ".*", which is not allowed: nothing .* run$/),
		});
		await expect(built(...parts)).rejects.toThrow(name);
	});

	test('what Python writes for a command that runs at loading', async () => {
		const bytes = readFileSync(join(import.meta.dirname, '../fixtures/weights/evil.pickle'));
		await expect(read(bytes)).rejects.toThrow('"posix.system", which is not allowed');
	});

	test.each([
		['INST', 'i'],
		['OBJ', 'o'],
		['NEWOBJ', 0x81],
		['EXT1', 0x82],
		['NEWOBJ_EX', 0x92],
		['BYTEARRAY8', 0x96],
		['an old GET', 'g'],
		['no operation', 0xff],
	] as const)('the operation %s', async (_, code) => {
		const bytes = Buffer.from([typeof code === 'string' ? code.charCodeAt(0) : code]);
		await expect(built(op.mark, bytes)).rejects.toThrow(/operations of a state dict, got 0x\w+/);
	});
});

describe('a pickle is refused when', () => {
	test.each([
		[
			'a name is called that makes nothing',
			[op.global('torch', 'FloatStorage'), op.emptyTuple, op.reduce],
			/call of a known function/,
		],
		[
			'something else is called',
			[op.int(1), op.emptyTuple, op.reduce],
			/call of a known function, got one of a number/,
		],
		[
			'a call has no arguments',
			[op.global('torch', 'Size'), op.none, op.reduce],
			/call of a known function/,
		],
		[
			'a name is no text',
			[op.emptyList, op.text('x'), op.stackGlobal],
			/two strings, got an array/,
		],
		[
			'a name is a deep list',
			[op.emptyList, many(op.tuple1, 30000), op.text('x'), op.stackGlobal],
			/two strings/,
		],
		['it is nested too deep', [many(op.mark, 2000)], /nested too deep/],
		['its stack is too high', [many(op.none, 70000)], /stack too high/],
		['its memo is too large', [op.none, many(op.memoize, 2 ** 21 + 1)], /memo too large/],
		['a number is too long', [op.long4(2 ** 31)], /at most 255 bytes, got one of 2147483648/],
		['a number is negative in length', [op.long4(-1)], /at most 255 bytes/],
		['a number goes beyond its end', [op.long4(200)], /a whole pickle, got one that is cut/],
		['a text goes beyond its end', [Buffer.of(0x58, 0xff, 0xff, 0xff, 0xff)], /one that is cut/],
		[
			'a long text goes beyond its end',
			[Buffer.of(0x8d, ...Array(8).fill(0xff))],
			/one that is cut/,
		],
		['a frame goes beyond its end', [Buffer.of(0x95, 9, 0, 0, 0, 0, 0, 0, 0)], /one that is cut/],
		['a line never ends', [Buffer.from(`c${'a'.repeat(1000)}`)], /at most 256 bytes/],
		['there is nothing on the stack', [op.tuple2], /operands on the stack, got none/],
		['a mark stands before operands', [op.int(1), op.mark, op.tuple1], /operands on the stack/],
		['there is no mark', [op.int(1), op.tuple], /a mark on the stack/],
		['nothing was remembered', [op.get(0)], /remembered before, got place 0/],
		['two values are left', [op.int(1), op.int(2)], /one value in a pickle, got 2/],
		['no value is left', [], /one value in a pickle, got 0/],
		[
			'something is appended to no list',
			[op.int(1), op.int(2), op.append],
			/a list to append to, got a number/,
		],
		[
			'something is set in no dict',
			[op.int(1), op.int(2), op.int(3), op.setItem],
			/pairs for a dict/,
		],
		[
			'a key has no value',
			[op.emptyDict, op.mark, op.int(2), op.setItems],
			/pairs for a dict, got 1/,
		],
		['a number gets attributes', [op.int(1), op.none, op.build], /an object to put attributes on/],
		['it is of a version to come', [op.proto(6), op.none], /protocol 2 to 5, got 6/],
	] as const)('%s', async (_, parts, message) => {
		await expect(built(...parts)).rejects.toMatchObject({
			code: 'FILE_FORMAT',
			message: expect.stringMatching(message),
		});
	});

	test('it is cut anywhere', async () => {
		const whole = pickle(op.emptyDict, op.text('a'), op.long1(1, 2), op.setItem);
		for (let length = 0; length < whole.length; length++) {
			await expect(read(whole.subarray(0, length))).rejects.toMatchObject({code: 'FILE_FORMAT'});
		}
	});
});

test('a long pickle leaves turns to others', async () => {
	let turns = 0;
	const timer = setInterval(() => turns++, 1);
	const list = [op.emptyList, op.mark, many(op.none, 60000), op.appends];
	await built(...list, many(op.memoize, 400000));
	clearInterval(timer);
	expect(turns).toBeGreaterThan(5);
});
