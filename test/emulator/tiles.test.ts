// Which tiles Hopper's products with weights are cut into: tiles.cpp says what the launcher chooses.

import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {expect, test} from 'vitest';

const program = join(import.meta.dirname, '../../out/emulated/tiles');
const blocks = 132;

type Product = readonly [rows: number, columns: number, depth: number];

/** The columns of shared tiles, and the schedule, of products of rows. */
function choicesOf(products: readonly Product[]): {columns: number; schedule: string}[] {
	const said = execFileSync(program, [blocks, ...products.flat()].map(String), {encoding: 'utf8'});
	return said
		.trim()
		.split('\n')
		.map(line => line.split(' '))
		.map(([columns, schedule]) => ({columns: Number(columns), schedule: schedule!}));
}

const tilesOf = (shapes: readonly (readonly [number, number])[]): number[] =>
	choicesOf(shapes.map(([rows, columns]) => [rows, columns, 768])).map(({columns}) => columns);

const schedulesOf = (products: readonly Product[]): string[] =>
	choicesOf(products).map(({schedule}) => schedule);

const widths = [384, 768, 1152, 1536, 2304, 3072];

test.each([8192, 16_384, 32_768, 65_536])('computes no column for nothing, %i rows', rows => {
	const chosen = tilesOf(widths.map(width => [rows, width] as const));
	expect(widths.map((width, at) => width % chosen[at]!)).toEqual(widths.map(() => 0));
});

test('takes the widest tile that wastes nothing', () => {
	const chosen = tilesOf(widths.map(width => [65_536, width] as const));
	expect(chosen).toEqual([192, 256, 192, 256, 256, 256]);
	expect(tilesOf([[65_536, 128]])).toEqual([128]);
});

// Tiles of 256, 192 and 128 columns: 96, 128 and 192, one turn but of the last; 288, 384 and 576.
test.each([
	[768, 192],
	[2304, 192],
])('of 4096 rows and %i columns spares the last turn', (columns, expected) => {
	expect(tilesOf([[4096, columns]])).toEqual([expected]);
});

test.each([
	[4096, 384],
	[16, 3072],
	[0, 768],
])('leaves %i rows of %i columns to small tiles, for no other fills the card', (rows, columns) => {
	expect(tilesOf([[rows, columns]])).toEqual([0]);
});

// The products of MiniLM: to queries, keys and values, of heads, and into the feed-forward layer.
test.each([4096, 8192, 16_384, 65_536])(
	'has groups take turns at a depth of 384, %i rows',
	rows => {
		const products = [1152, 384, 1536].map(columns => [rows, columns, 384] as const);
		expect(schedulesOf(products)).toEqual(['turns', 'turns', 'turns']);
	},
);

test.each([
	[16_384, 768, 768],
	[16_384, 384, 1536],
	[16_384, 384, 392],
])('has groups share tiles of %i rows and %i columns at a depth of %i', (...product) => {
	expect(schedulesOf([product])).toEqual(['shared']);
});

// A block would bring 144 KiB of the right operand for one tile.
test.each([
	[16, 1536, 384],
	[64, 384, 384],
	[2048, 384, 384],
])('leaves %i rows of %i columns to tiles that cost less', (...product) => {
	expect(schedulesOf([product])).toEqual(['shared']);
});
