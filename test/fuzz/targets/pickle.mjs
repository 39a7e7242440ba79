// The pickle of a table of tensors, as pytorch_model.bin has it.

import {tensorBytes} from '../../../dist/files/safetensors-header.js';
import {readTensorPickle} from '../../../dist/files/torch-pickle.js';
import {expectRefusal, hold, place} from '../property.mjs';

export async function run(bytes) {
	try {
		const {views, end} = await readTensorPickle(bytes, {path: place});
		hold(end > 0 && end <= bytes.length, 'it ends within the bytes');
		for (const {name, storage, at, shape} of views) {
			hold(typeof name === 'string' && typeof storage.key === 'string', 'there are names');
			const begin = tensorBytes(storage.dtype, [at]);
			const whole = tensorBytes(storage.dtype, [storage.count]);
			const part = tensorBytes(storage.dtype, shape);
			hold(begin >= 0 && part >= 0 && begin + part <= whole, 'a tensor lies within its storage');
		}
	} catch (error) {
		expectRefusal(error, ['FILE_FORMAT']);
	}
}

const global = name => `c${name.replace(/\.(?=[^.]*$)/, '\n')}\n`;
const text = word => `X${String.fromCharCode(word.length, 0, 0, 0)}${word}`;
const number = value => `K${String.fromCharCode(value)}`;
const storage = (type, key, count) =>
	`(${text('storage')}${global(`torch.${type}Storage`)}${text(key)}${text('cpu')}${number(count)}tQ`;
const tensor = (type, key, count, shape, strides) =>
	`${global('torch._utils._rebuild_tensor_v2')}(${storage(type, key, count)}${number(0)}` +
	`${shape.map(number).join('')}\x86${strides.map(number).join('')}\x86\x89${global('collections.OrderedDict')})RtR`;
const latin = parts => Buffer.from(parts.join(''), 'latin1');

export const words = [
	...[
		'torch.FloatStorage',
		'torch\nHalfStorage\n',
		'_rebuild_parameter',
		'os\nsystem\n',
		'storage',
	],
	...[
		'\x8a\x04',
		'\x8b',
		'\x95',
		'\x94',
		'q\x01',
		'h\x01',
		'(',
		't',
		'R',
		'Q',
		'}',
		']',
		'u',
		'b',
		'.',
	],
];

export const seeds = [
	latin(['\x80\x02}(', text('a'), tensor('Float', '0', 6, [2, 3], [3, 1]), 'u.']),
	latin(['\x80\x02}', 'q\x01', text('b'), tensor('BFloat16', '1', 4, [2, 2], [2, 1]), 's.']),
	latin(['\x80\x04', '\x95', '\x04\0\0\0\0\0\0\0', '}\x94.', '']),
	latin(['\x80\x02', global('collections.OrderedDict'), ')R}b.', '']),
	latin([
		'\x80\x02(\x8a\x08',
		'\xff'.repeat(8),
		'G',
		'\x40'.repeat(8),
		'NJ\0\0\0\x80M\0\x01',
		'\x88\x89t.',
	]),
];
