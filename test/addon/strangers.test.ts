// Operands that are not what they should be are refused with a code: none of them ends the process.

import {expect, test} from 'vitest';
import {native} from '../../dist/native.js';
import {specOf} from './tiny-model.mjs';

const {Device, Model, Canceller} = native();
const device = new Device(2);
const model = new Model(device, specOf());
const name = 'embedding.tokens';
const row = new Float32Array(64);
const one = {ids: Int32Array.of(1), offsets: Int32Array.of(0, 1)};
const pass = {seed: 0, step: 0, hidden: 0, attention: 0, keep: false};
const part = {name, at: 0, count: 64, offset: 0, type: 'f32'} as const;
const tensor = () => device.tensor(2, 2, 'f32');
const thrower = {
	toString() {
		throw new Error('asked for text');
	},
};
// Values of the wrong kind, past the types.
const wrong = (value: unknown) => value as never;

test.each<[string, () => unknown]>([
	['a device without threads', () => new Device(wrong(undefined))],
	['a device of more threads than any machine has', () => new Device(1e9)],
	['a model on something else than a device', () => new Model(wrong({}), specOf())],
	['a model of no specification', () => new Model(device, wrong(undefined))],
	['a tensor of negative extents', () => device.tensor(-1, 2, 'f32')],
	['a tensor of extents that are no numbers', () => device.tensor(Number.NaN, 2, 'f32')],
	['a tensor of a symbol of rows', () => device.tensor(wrong(Symbol('rows')), 2, 'f32')],
	['a tensor whose extents overflow', () => device.tensor(1e15, 1e15, 'f32')],
	['a tensor of no type', () => device.tensor(1, 1, wrong(thrower))],
	['a slice beyond the rows', () => tensor().slice(1, 2)],
	['a slice whose end overflows', () => tensor().slice(1, 2 ** 62)],
	['a shape of other elements', () => tensor().reshape(3, 1)],
	['a shape whose product overflows', () => tensor().reshape(2 ** 32, 2 ** 32)],
	['an op that does not exist', () => device.run('nothing', {})],
	['an op whose name is no string', () => device.run(wrong(Symbol('op')), {})],
	['values of another length', () => device.write(tensor(), new Float32Array(3))],
	['values that are no typed array', () => device.write(tensor(), wrong([1, 2, 3, 4]))],
	['a tensor that is none', () => device.write(wrong({}), new Float32Array(4))],
	['a canceller that is none', () => device.read(tensor(), new Float32Array(4), wrong({}))],
	[
		'a canceller that only looks like one',
		() => device.read(tensor(), new Float32Array(4), Object.create(Canceller.prototype)),
	],
	['kernels that are no string', () => native().useKernels(wrong(thrower))],
	['rows that are no Float32Array', () => model.write('weight', name, 0, wrong([1, 2]))],
	['rows of integers', () => model.write('weight', name, 0, wrong(new Int32Array(64)))],
	['rows beyond the last', () => model.write('weight', name, 2 ** 53, row)],
	['half a row', () => model.write('weight', name, 0, row.subarray(32))],
	['a gradient of a model not in training', () => model.read('gradient', name, 0, row)],
	['a place for rows that is no array', () => model.read('weight', name, 0, wrong(undefined))],
	['parts that are no list', () => model.load('file', wrong(5))],
	['parts that are no objects', () => model.load('file', wrong([5]))],
	['a part before the first element', () => model.load('file', [{...part, at: -1}])],
	[
		'a part whose end overflows',
		() => model.load('file', [{...part, at: 2 ** 62, count: 2 ** 62}]),
	],
	['a part before the file', () => model.load('file', [{...part, offset: -4}])],
	['a batch that is none', () => model.encode(wrong(undefined), {}, row)],
	['a batch of plain arrays', () => model.encode(wrong({ids: [1], offsets: [0, 1]}), {}, row)],
	['ids beyond the vocabulary', () => model.encode({...one, ids: Int32Array.of(512)}, {}, row)],
	['negative ids', () => model.encode({...one, ids: Int32Array.of(-1)}, {}, row)],
	['offsets that fall', () => model.encode({...one, offsets: Int32Array.of(0, 2, 1)}, {}, row)],
	['no offsets', () => model.encode({...one, offsets: new Int32Array(0)}, {}, row)],
	['room for other embeddings', () => model.encode(one, {}, new Float32Array(63))],
	['more dimensions than the model has', () => model.encode(one, {dimensions: 65}, row)],
	['embeddings of integers', () => model.forward(one, pass, device.tensor(1, 64, 'i32'))],
	['gradients of a model not in training', () => model.zeroGradients()],
	['a frozen parameter that is no name', () => model.prepareTraining(wrong([5]))],
	['an error class that is none', () => native().setErrorClass(wrong(5))],
])('%s', (_, act) => {
	expect(act).toThrow(expect.objectContaining({code: 'OP_INVALID'}));
});

test('a tensor that was disposed is refused', () => {
	const disposed = tensor();
	disposed.dispose();
	expect(() => disposed.slice(0, 1)).toThrow(expect.objectContaining({code: 'OP_INVALID'}));
	expect(() => device.write(disposed, new Float32Array(4))).toThrow(/expected a tensor/);
});

test('methods of another object are refused', () => {
	expect(() => Device.prototype.synchronize.call(wrong({}))).toThrow(TypeError);
	expect(() => Model.prototype.pack.call(wrong({}))).toThrow(TypeError);
});
