// A whole safetensors file: length, header, data.

import {
	headerLength,
	lengthBytes,
	parseHeader,
	tensorBytes,
} from '../../../dist/files/safetensors-header.js';
import {hold, place, refusing} from '../property.mjs';

const codes = ['SAFETENSORS_INVALID'];

export function run(bytes) {
	const header = refusing(codes, () => {
		const length = headerLength(bytes.subarray(0, lengthBytes), bytes.length, place);
		const begin = lengthBytes + length;
		const data = {begin, end: bytes.length};
		return {data, ...parseHeader(bytes.subarray(lengthBytes, begin), data, place)};
	});
	if (header === undefined) return;
	let at = header.data.begin;
	for (const {begin, end, dtype, shape} of header.tensors.toSorted(byPlace)) {
		hold(begin === at, 'tensors lie end to end');
		hold(end - begin === tensorBytes(dtype, shape), 'shape times width is the number of bytes');
		at = end;
	}
	hold(at === bytes.length, 'the tensors fill the file');
	const names = header.tensors.map(({name}) => name);
	hold(new Set(names).size === names.length, 'names are different');
	for (const value of Object.values(header.metadata)) {
		hold(typeof value === 'string', 'metadata are texts');
	}
}

function byPlace(a, b) {
	return a.begin - b.begin || a.end - b.end;
}

/** The JSON of an input is its header; the length and most often the size of the data go with it. */
export const json = {
	text: bytes => bytes.toString('utf8', 8, 8 + lengthOf(bytes)),
	bytes(text, bytes, random) {
		const header = Buffer.from(text);
		const prefix = Buffer.alloc(8);
		prefix.writeBigUInt64LE(BigInt(header.length));
		const end = Math.max(0, ...[...text.matchAll(/(\d+)\]/g)].map(([, count]) => Number(count)));
		const fits = end < 4096 && !random.chance(4);
		return Buffer.concat([
			prefix,
			header,
			fits ? Buffer.alloc(end) : bytes.subarray(8 + lengthOf(bytes)),
		]);
	},
};

function lengthOf(bytes) {
	return bytes.length < 8 ? 0 : Number(bytes.readBigUInt64LE() & 0xffffn);
}

export const words = [
	'F32',
	'F16',
	'BF16',
	'I64',
	'F4',
	'F6_E2M3',
	'data_offsets',
	'[0,4]',
	'[2,2]',
];

export const seeds = [
	fileOf({a: {dtype: 'F32', shape: [2, 2], data_offsets: [0, 16]}}, 16),
	fileOf(
		{
			__metadata__: {format: 'pt'},
			a: {dtype: 'BF16', shape: [3], data_offsets: [0, 6]},
			b: {dtype: 'U8', shape: [], data_offsets: [6, 7]},
		},
		7,
	),
	fileOf({}, 0),
	fileOf(
		{
			a: {dtype: 'F32', shape: [0, 5], data_offsets: [0, 0]},
			b: {dtype: 'F4', shape: [4], data_offsets: [0, 2]},
		},
		2,
	),
];

function fileOf(header, size) {
	const text = Buffer.from(JSON.stringify(header));
	const prefix = Buffer.alloc(8);
	prefix.writeBigUInt64LE(BigInt(text.length));
	return Buffer.concat([prefix, text, Buffer.alloc(size)]);
}
