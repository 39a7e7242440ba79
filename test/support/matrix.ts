// Matrices of the tests: rows end to end in float64, made of values that float32 holds, so that the
// engine and the oracles start from the same numbers.

export type Matrix = {
	readonly rows: number;
	readonly columns: number;
	readonly values: Float64Array;
	/** How the engine holds it; f32 if not said. */
	readonly type?: 'bf16';
};

export type Random = () => number;

export function zeros(rows: number, columns: number): Matrix {
	return {rows, columns, values: new Float64Array(rows * columns)};
}

/** What an output holds before an op that must overwrite it. */
export function blank(rows: number, columns: number): Matrix {
	return {rows, columns, values: new Float64Array(rows * columns).fill(Number.NaN)};
}

export function matrixOf(rows: number, columns: number, value: (index: number) => number): Matrix {
	const values = new Float64Array(rows * columns);
	for (let index = 0; index < values.length; index += 1) values[index] = value(index);
	return {rows, columns, values};
}

export function rowsOf(x: Matrix, begin: number, end: number): Matrix {
	return {...x, rows: end - begin, values: x.values.slice(begin * x.columns, end * x.columns)};
}

/** Numbers in [0, 1), always the same for a seed. */
export function uniforms(seed: number): Random {
	let state = Math.imul(seed, 0x9e3779b1);
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let bits = Math.imul(state ^ (state >>> 15), state | 1);
		bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
		return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Normal numbers rounded to float32. */
export function normals(seed: number): Random {
	const uniform = uniforms(seed);
	return () => {
		const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
		return Math.fround(radius * Math.cos(2 * Math.PI * uniform()));
	};
}

export function randomMatrix(rows: number, columns: number, random: Random, spread = 1): Matrix {
	return matrixOf(rows, columns, () => Math.fround(spread * random()));
}

/** The nearest number of 16 bits (a brain float), halves to the even one. */
export function roundToBf16(value: number): number {
	const word = new Uint32Array(Float32Array.of(value).buffer);
	word[0] = (word[0]! + 0x7fff + ((word[0]! >>> 16) & 1)) & 0xffff_0000;
	return Number.isNaN(value) ? value : new Float32Array(word.buffer)[0]!;
}

/** The same matrix rounded to 16 bits, and held so. */
export function asBf16({rows, columns, values}: Matrix): Matrix {
	return {rows, columns, values: values.map(roundToBf16), type: 'bf16'};
}

export function largest({values}: {values: Float64Array}): number {
	return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** Every combination of one value of each axis. */
export function grid<Point extends object>(
	axes: {[Key in keyof Point]: readonly Point[Key][]},
): Point[] {
	let points = [{}] as Partial<Point>[];
	for (const key of Object.keys(axes) as (keyof Point)[]) {
		points = points.flatMap(point => axes[key].map(value => ({...point, [key]: value})));
	}
	return points as Point[];
}

/** Where each text begins, and where the last ends. */
export function offsetsOf(lengths: readonly number[]): Int32Array {
	let end = 0;
	return Int32Array.from([0, ...lengths.map(length => (end += length))]);
}

export function sum(values: readonly number[]): number {
	return values.reduce((total, value) => total + value, 0);
}

/** A value that is computed when it is first asked for. */
export function lazy<Value>(compute: () => Value): () => Value {
	let found: {value: Value} | undefined;
	return () => {
		found ??= {value: compute()};
		return found.value;
	};
}
