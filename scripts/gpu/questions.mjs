// The rows of the table that are single ops. Each makes its operands when its turn comes, and names what
// PyTorch shall do beside it, the work in floating-point operations or bytes, and what is hoped for.

import {join} from 'node:path';
import {once} from '../../benchmarks/contrast.mjs';
import {outcomeOf} from './machine.mjs';
import {rowQuestions} from './row-questions.mjs';
import {searchQuestions} from './search-questions.mjs';

export function operationQuestions({device, isTrial}) {
	const made = maker(device.native);
	return [
		...products(made, isTrial),
		...attentions(made, isTrial),
		...(isTrial ? [32] : [16384, 65536]).map(rows => contrast(device, rows, isTrial ? 16 : 768)),
		...rowQuestions(made, isTrial),
		...searchQuestions(made, isTrial),
	];
}

/** Makers of tensors of random values. */
function maker(native) {
	const block = Float32Array.from({length: 1 << 20}, () => Math.random() * 2 - 1);
	const half = Uint16Array.from(new Uint32Array(block.buffer), bits => bits >>> 16);
	const fill = (tensor, rows, columns, values) => {
		const each = Math.max(1, Math.floor(values.length / columns));
		for (let row = 0; row < rows; row += each) {
			const count = Math.min(each, rows - row);
			const slice = tensor.slice(row, count);
			native.write(slice, values.subarray(0, count * columns));
			slice.dispose();
		}
		return tensor;
	};
	const random = (rows, columns, type = 'f32') =>
		fill(native.tensor(rows, columns, type), rows, columns, type === 'f32' ? block : half);
	const squares = (rows, columns) =>
		fill(
			native.tensor(rows, columns, 'f32'),
			rows,
			columns,
			block.map(value => value * value),
		);
	const integers = values => {
		const tensor = native.tensor(1, values.length, 'i32');
		native.write(tensor, Int32Array.from(values));
		return tensor;
	};
	return {native, random, squares, integers};
}

/** A question's op, run again and again on the same operands. */
export const running = (native, op, fields) => ({
	run: () => native.run(op, fields),
	dispose: () => {
		for (const value of Object.values(fields)) value?.dispose?.();
	},
});

// The depth up to which groups of Hopper's may take turns (native/cuda/tile_choice.h).
const deepestTurns = 384;

function products({native, random}, isTrial) {
	const layers = (isTrial ? [32] : [384, 768, 1024]).flatMap(d => [
		[3 * d, d],
		[d, d],
		[4 * d, d],
		[d, 4 * d],
	]);
	return (isTrial ? [64] : [4096, 16384, 65536]).flatMap(m =>
		layers.map(([n, k]) => ({
			title: `product ${m} x ${n} x ${k}, bf16`,
			goal: '0.9 times the peer',
			peer: {kind: 'product', m, n, k},
			flops: 2 * m * n * k,
			...(k <= deepestTurns && {schedules: ['shared', 'turns']}),
			make: () => {
				const weight = random(n, k);
				const packed = native.tensor(Math.ceil(n / 16), 16 * k, 'bf16');
				native.run('linearPack', {weight, packed});
				weight.dispose();
				const [x, y] = [random(m, k, 'bf16'), native.tensor(m, n, 'bf16')];
				return running(native, 'linearForward', {x, packed, bias: random(1, n), y});
			},
		})),
	);
}

function attentions(made, isTrial) {
	const tokens = isTrial ? 32 : 32768;
	const lengths = (isTrial ? [16] : [128, 256, 512]).flatMap(length => [
		[length, false],
		[length, true],
	]);
	return (isTrial ? [32] : [32, 64, 128]).flatMap(width =>
		lengths.flatMap(([length, isMixed]) => {
			const offsets = offsetsOf(tokens, length, isMixed);
			const shape = {tokens, width, heads: isTrial ? 2 : 12, offsets};
			const name = `texts of ${isMixed ? `up to ${length}` : length} tokens, heads of ${width}`;
			return ['forward', 'backward'].map(direction =>
				attention(made, {...shape, direction, name, isMixed}),
			);
		}),
	);
}

/** Where texts begin: all of a length, or of a quarter of it to all of it. */
function offsetsOf(tokens, length, isMixed) {
	const offsets = [0];
	for (let n = 0; offsets.at(-1) < tokens; n++) {
		const own = isMixed ? Math.ceil((length * (1 + ((n * 7) % 4))) / 4) : length;
		offsets.push(Math.min(tokens, offsets.at(-1) + own));
	}
	return offsets;
}

function attention(made, {tokens, width, heads, offsets, ...about}) {
	const {native, random} = made;
	const {direction, name, isMixed} = about;
	const pairs = offsets.slice(1).reduce((sum, end, n) => sum + (end - offsets[n]) ** 2, 0);
	const isForward = direction === 'forward';
	return {
		title: `attention ${direction}, ${name}, bf16`,
		goal: isForward && isMixed ? '1.3 times the peer' : '1.0 times the peer',
		peer: {kind: 'attention', direction, width, heads, offsets},
		flops: 4 * pairs * width * heads * (isForward ? 1 : 2.5),
		make: () => {
			const wide = heads * width;
			const fields = {
				...{heads, keyHeads: heads, width, scale: width ** -0.5},
				...{qkv: random(tokens, 3 * wide, 'bf16'), ...ordered(made, tokens, offsets)},
				...{o: native.tensor(tokens, wide, 'bf16'), lse: native.tensor(tokens, heads, 'f32')},
			};
			if (isForward) return running(native, 'attentionForward', fields);
			native.run('attentionForward', fields);
			const dout = random(tokens, wide, 'bf16');
			const dqkv = native.tensor(tokens, 3 * wide, 'bf16');
			return running(native, 'attentionBackward', {...fields, dout, dqkv});
		},
	};
}

/** Where texts begin, and what is made of it once for all layers of a model. */
function ordered({native, integers}, tokens, starts) {
	const most = Math.floor(tokens / 128) + starts.length - 1;
	const [offsets, order] = [integers(starts), native.tensor(2, most, 'i32')];
	native.run('attentionOrder', {tokens, offsets, order});
	return {offsets, order};
}

function contrast(device, rows, width) {
	return {
		title: `in-batch loss of ${rows} x ${width}, forward and backward, products of bf16`,
		goal: 'at 65536 rows at most 90 ms, and less than 1 GB beyond the inputs',
		peer: {kind: 'contrast', rows, width},
		flops: 8 * rows * rows * width,
		make: () => ({run: () => once(device, rows, width)}),
		memory: async () => {
			const program = join(import.meta.dirname, 'contrast-memory.mjs');
			const {stdout, stderr} = await outcomeOf(process.execPath, [
				program,
				device.name,
				rows,
				width,
			]);
			if (!stdout) throw new Error(stderr);
			return Number(stdout);
		},
	};
}
