// A whole NumPy file.

import {parseNpyHeader} from '../../../dist/files/npy.js';
import {hold, place, refusing} from '../property.mjs';

const widths = {'<f4': 4, '<f8': 8, '<i4': 4, '<i8': 8};

export function run(bytes) {
	const header = refusing(['FILE_FORMAT'], () => parseNpyHeader(bytes, bytes.length, place));
	if (header === undefined) return;
	const {type, shape, values, begin} = header;
	hold(Object.hasOwn(widths, type), 'the type is one of four');
	hold(
		shape.every(extent => Number.isSafeInteger(extent) && extent >= 0),
		'extents are counts',
	);
	hold(
		values === shape.reduce((product, extent) => product * extent, 1),
		'values are their product',
	);
	hold(begin + values * widths[type] === bytes.length, 'the data fill the file');
}

export const words = [
	'<f4',
	'<i8',
	'>f4',
	'|O',
	"'descr': ",
	'True',
	'False',
	'(3,)',
	'(2, 2)',
	'()',
	'}',
];

export const seeds = [
	fileOf("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24),
	fileOf("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", 8),
	fileOf("{'descr': '<f8', 'fortran_order': True, 'shape': (1,), }", 8, 2),
	fileOf("{'shape': (0, 4), 'fortran_order': False, 'descr': '<i4'}", 0, 3),
];

function fileOf(text, size, major = 1) {
	const header = Buffer.from(`${text}\n`);
	const head = Buffer.alloc(major === 1 ? 10 : 12);
	head.write('\x93NUMPY', 'latin1');
	head[6] = major;
	if (major === 1) head.writeUInt16LE(header.length, 8);
	else head.writeUInt32LE(header.length, 8);
	return Buffer.concat([head, header, Buffer.alloc(size)]);
}
