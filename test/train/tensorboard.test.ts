// Event files, read back by a reader of the test's own: framing, checksums and messages byte by byte.

import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {crc32c} from '../../dist/files/crc32c.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {lines, loadTiny, metricsIn, quick, rowsOf, stoppingAt} from './tiny.js';

const {folder, put} = temporaryFolder();
const at = (name: string) => join(folder, name);
const heldOut = put('held-out.jsonl', lines(rowsOf(40).slice(30)));
const options = {evalLoss: `kept=${heldOut}`, evalSteps: 2, epochs: 2, saveSteps: 2, report: false};

async function run(name: string, more: Partial<TrainOptions>) {
	return train(await loadTiny(), {...quick, ...options, output: at(name), ...more});
}

type Message = {numbers: Map<number, number>; parts: Map<number, Buffer[]>};

/** A protobuf message by field: numbers, and bytes of each repetition. */
function messageOf(bytes: Buffer): Message {
	const message: Message = {numbers: new Map(), parts: new Map()};
	let at = 0;
	const varint = () => {
		let value = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const byte = bytes.readUInt8(at++);
			value |= BigInt(byte & 127) << shift;
			if (byte < 128) return Number(value);
		}
	};
	const readers: Record<number, (field: number) => void> = {
		0: field => message.numbers.set(field, varint()),
		1: field => {
			message.numbers.set(field, bytes.readDoubleLE(at));
			at += 8;
		},
		2: field => {
			const length = varint();
			const parts = message.parts.get(field) ?? [];
			message.parts.set(field, [...parts, bytes.subarray(at, at + length)]);
			at += length;
		},
		5: field => {
			message.numbers.set(field, bytes.readFloatLE(at));
			at += 4;
		},
	};
	while (at < bytes.length) {
		const key = varint();
		readers[key & 7]!(key >> 3);
	}
	return message;
}

/** CRC-32C bit by bit, masked as TFRecord masks it. */
function maskedCrc(bytes: Buffer): number {
	let crc = 0xffffffffn;
	for (const byte of bytes) {
		crc ^= BigInt(byte);
		for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) * 0x82f63b78n);
	}
	crc ^= 0xffffffffn;
	const rotated = ((crc >> 15n) | (crc << 17n)) & 0xffffffffn;
	return Number((rotated + 0xa282ead8n) & 0xffffffffn);
}

type Point = {tag: string; step: number; value: number};

/** All points of the one event file of a folder, in their order. */
function pointsIn(path: string): Point[] {
	const [name, ...others] = readdirSync(path);
	expect(others).toEqual([]);
	expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\..+/);
	const file = readFileSync(join(path, name!));
	const points: Point[] = [];
	let versions = 0;
	for (let begin = 0; begin < file.length; ) {
		const length = Number(file.readBigUInt64LE(begin));
		const payload = file.subarray(begin + 12, begin + 12 + length);
		expect(file.readUInt32LE(begin + 8)).toBe(maskedCrc(file.subarray(begin, begin + 8)));
		expect(file.readUInt32LE(begin + 12 + length)).toBe(maskedCrc(payload));
		const event = messageOf(payload);
		expect(Math.abs(event.numbers.get(1)! - Date.now() / 1000)).toBeLessThan(600);
		versions += Number(event.parts.get(3)?.[0]?.toString() === 'brain.Event:2');
		const values = event.parts.get(5)?.flatMap(summary => messageOf(summary).parts.get(1)!) ?? [];
		for (const value of values) {
			const {parts, numbers} = messageOf(value);
			const tag = parts.get(1)![0]!.toString();
			points.push({tag, step: event.numbers.get(2)!, value: numbers.get(2)!});
		}
		begin += 16 + length;
	}
	expect(versions).toBe(1);
	return points;
}

const series = (points: readonly Point[], tag: string) =>
	points.filter(point => point.tag === tag).map(({step, value}) => [step, value]);

/** Points without what depends on the clock and the process. */
const timeless = (points: readonly Point[]) =>
	points.filter(({tag}) => !/per_second|peak_memory/.test(tag));

test('the checksum is the known one', () => {
	expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
	expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
});

test('events have the numbers of metrics.jsonl', async () => {
	await run('events', {tensorboard: true});
	const points = pointsIn(join(at('events'), 'tensorboard'));
	const steps = metricsIn(at('events')).filter(({loss}) => loss !== undefined);
	const expected = (key: string) => steps.map(each => [each['step'], Math.fround(each[key]!)]);
	expect(series(points, 'train/loss')).toEqual(expected('loss'));
	expect(series(points, 'train/learning_rate')).toEqual(expected('learningRate'));
	expect(series(points, 'train/grad_norm')).toEqual(expected('gradientNorm'));
	expect(series(points, 'train/positive_cosine')).toEqual(expected('positiveCosine'));
	expect(series(points, 'train/negatives/local')).toHaveLength(6);
	expect(series(points, 'weight_norm/blocks.2')).toHaveLength(6);
	const evaluations = metricsIn(at('events')).filter(({evaluation}) => evaluation);
	expect(series(points, 'eval/kept_loss')).toEqual(
		evaluations.map(({step, evaluation}) => [step, Math.fround(evaluation!['kept']!['loss']!)]),
	);
});

test('a resumed run goes on without a step twice, and drops what was torn', async () => {
	await run('whole', {tensorboard: at('whole-events')});
	const asked = {tensorboard: at('parts-events'), saveSteps: 3};
	await expect(run('parts', {...asked, ...stoppingAt(4)})).rejects.toThrow('stopped at 4');
	const [name] = readdirSync(at('parts-events'));
	const path = join(at('parts-events'), name!);
	writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from('a torn record')]));
	await run('parts', {...asked, resume: true});
	const [parts, whole] = ['parts-events', 'whole-events'].map(each => timeless(pointsIn(at(each))));
	expect(parts).toEqual(whole);
});

test('a folder with events of another run is refused, unless it may be replaced', async () => {
	const tensorboard = at('shared-events');
	await run('first', {tensorboard});
	const second = run('second', {tensorboard});
	await expect(second).rejects.toMatchObject({code: 'OUTPUT_EXISTS'});
	await run('second', {tensorboard, overwrite: true});
	expect(series(pointsIn(tensorboard), 'train/loss')).toHaveLength(6);
});

test('a run that fails before its first checkpoint leaves no events', async () => {
	const evaluators = {failing: () => ({})};
	const tensorboard = at('failed-events');
	const failing = run('failed', {tensorboard, evaluators});
	await expect(failing).rejects.toMatchObject({code: 'EVALUATOR_INVALID'});
	expect(readdirSync(tensorboard)).toEqual([]);
});

test('without a place to write to it is refused', async () => {
	const nowhere = train(await loadTiny(), {...quick, tensorboard: true});
	await expect(nowhere).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
});
