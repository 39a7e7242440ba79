// Cards as JavaScript holds them: which there are, what is refused, memory that ends, faults that are
// told.

import {spawnSync} from 'node:child_process';
import {expect, test} from 'vitest';
import {type NativeCards, type NativeDevice, native} from '../../dist/native.js';
import {emulated, emulatedPath} from '../support/emulated.js';

// The emulator keeps account of each byte that is touched, in fifty of this machine.
const capacity = 2 ** 22;
process.env.EMULATOR_MEMORY = String(capacity);

const openCard = () => new (emulated().Device)({card: 0});
const ramp = (length: number) => Float32Array.from({length}, (_, index) => index);

function tensorOf(device: NativeDevice, values: Float32Array) {
	const tensor = device.tensor(1, values.length, 'f32');
	device.write(tensor, values);
	return tensor;
}

async function contentsOf(device: NativeDevice, tensor: ReturnType<typeof tensorOf>) {
	const values = new Float32Array(tensor.columns);
	await device.read(tensor, values);
	return values;
}

test('lists cards, or says why there are none', () => {
	const list = [{name: 'emulated card', capability: 9, memoryBytes: capacity}];
	expect(emulated().cards()).toEqual({list, absent: false});
	const {list: real, reason} = native().cards();
	expect(real.length > 0 || /driver|no card|no CUDA/.test(reason ?? '')).toBe(true);
});

test('tells a machine without a card from one whose card is refused', () => {
	const program = `
		const {cards} = require(${JSON.stringify(emulatedPath)});
		console.log(JSON.stringify(cards()));`;
	const found = (count: string) => {
		const env = {...process.env, EMULATOR_CARDS: count, EMULATOR_CAPABILITY: '75'};
		const {stdout} = spawnSync(process.execPath, ['-e', program], {env, encoding: 'utf8'});
		return JSON.parse(stdout) as NativeCards;
	};
	expect(found('0')).toMatchObject({list: [], absent: true, reason: expect.any(String)});
	expect(found('1')).toMatchObject({list: [{reason: expect.any(String)}], absent: false});
});

test('leaves the event loop its turns while the driver starts', () => {
	const program = `
		import {openDevice} from ${JSON.stringify(import.meta.resolve('../../dist/device.js'))};
		setTimeout(() => console.log('turn'));
		const {name} = await openDevice();
		console.log(name);`;
	const {stdout} = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
		env: {...process.env, INBATCH_NATIVE: emulatedPath, EMULATOR_START: '200'},
		encoding: 'utf8',
	});
	expect(stdout).toBe('turn\ncuda:0\n');
});

test('runs ops in order and gives their results to who reads', async () => {
	const device = openCard();
	const a = tensorOf(device, ramp(100));
	const y = device.tensor(1, 100, 'f32');
	device.run('add', {a, b: a, y});
	device.run('add', {a: y, b: a, y});
	expect(await contentsOf(device, y)).toEqual(ramp(100).map(value => 3 * value));
});

test('holds one engine for all who open the card', async () => {
	const [one, two] = [openCard(), openCard()];
	const x = tensorOf(one, ramp(7));
	await one.synchronize();
	expect(await contentsOf(two, x)).toEqual(ramp(7));
});

test('refuses a card that is not there', () => {
	expect(() => new (emulated().Device)({card: 1})).toThrow(
		"device 'cuda:1' is not available: expected a card below 1",
	);
	expect(() => new (emulated().Device)({card: -1})).toThrow('expected a card from 0 on, got -1');
	expect(() => new (emulated().Device)({} as {card: number})).toThrow('expected a number');
});

test('refuses tensors of the other side, and ops without a kernel', () => {
	const [card, host] = [openCard(), new (emulated().Device)(1)];
	const [near, far] = [card.tensor(1, 4, 'f32'), host.tensor(1, 4, 'f32')];
	expect(() => card.run('add', {a: near, b: far, y: near})).toThrow(
		'add: expected b in the memory of the card, got a tensor of the cpu',
	);
	expect(() => host.run('add', {a: far, b: far, y: near})).toThrow(
		'add: expected y in the memory of the cpu, got a tensor of the card',
	);
	expect(() => card.write(far, ramp(4))).toThrow('write: expected a tensor of the card');
	expect(() => card.read(far, ramp(4))).toThrow('read: expected a tensor of the card');
	expect(() => card.peak()).toThrow('peak: expected the device cpu, got a card');
});

test('says how much memory it would need, gives up what waits in reserve and goes on', async () => {
	const device = openCard();
	const kept = tensorOf(device, ramp(5));
	for (let size = 1; size <= 4; size += 1) device.tensor(size * 16, 2 ** 12, 'f32').dispose();
	expect(() => device.tensor(2 ** 10, 2 ** 20, 'f32')).toThrow(
		/card 0 \(emulated card\): expected 4294\.97 MB of memory, got \d\.\d\d MB free of 4\.19 MB/,
	);
	device.tensor(200, 2 ** 12, 'f32').dispose();
	expect(await contentsOf(device, kept)).toEqual(ramp(5));
});

test('takes memory once for steps of like shape', async () => {
	const device = openCard();
	const step = async () => {
		const x = tensorOf(device, ramp(5000));
		const dweight = tensorOf(device, ramp(50));
		const [mean, rstd] = [tensorOf(device, ramp(100)), tensorOf(device, ramp(100))];
		const [sum, dy] = [x.reshape(100, 50), x.reshape(100, 50)];
		const dx = device.tensor(100, 50, 'f32');
		const weight = tensorOf(device, ramp(50));
		device.run('normBackward', {sum, weight, mean, rstd, dy, dx, dweight});
		await device.synchronize();
		for (const tensor of [x, dweight, mean, rstd, sum, dy, dx, weight]) tensor.dispose();
	};
	await step();
	const {allocations} = device.statistics();
	await step();
	expect(device.statistics().allocations).toBe(allocations);
});

test('tells a fault at the next read, once', async () => {
	const device = openCard();
	const [unwritten, y] = [device.tensor(1, 4, 'f32'), device.tensor(1, 4, 'f32')];
	device.run('add', {a: unwritten, b: unwritten, y});
	await expect(device.synchronize()).rejects.toThrow(
		/read of unwritten bytes.*elements?\.cuh|\.cu:/,
	);
	const x = tensorOf(device, ramp(4));
	device.run('add', {a: x, b: x, y});
	expect(await contentsOf(device, y)).toEqual(ramp(4).map(value => 2 * value));
});

test('ends the process while work is queued', () => {
	const program = `
		const {Device} = require(${JSON.stringify(emulatedPath)});
		const device = new Device({card: 0});
		const x = device.tensor(200, 300, 'f32');
		device.write(x, new Float32Array(60000));
		for (let i = 0; i < 20; i += 1) device.run('add', {a: x, b: x, y: x});
		device.read(x, new Float32Array(60000));
		process.exit(7);`;
	expect(spawnSync(process.execPath, ['-e', program]).status).toBe(7);
});
