// The contrastive softmax and the lengths that make it a cosine.

import {describe, expect, test} from 'vitest';
import {type NativeDevice, native} from '../../dist/native.js';
import {onEveryCard, onEveryDevice, sameBitsOnCards} from '../support/cards.js';
import {
	backward,
	blankGradient,
	caseOf,
	finite,
	forward,
	gradientOf,
	type Held,
	held,
	norms,
	type Outline,
	operandsOf,
	type RuleName,
	removedBy,
} from '../support/contrast-cases.js';
import {onEveryPath, sameBitsEverywhere} from '../support/kernel-paths.js';
import {
	blank,
	grid,
	type Matrix,
	matrixOf,
	normals,
	randomMatrix,
	zeros,
} from '../support/matrix.js';
import {
	type ContrastCase,
	contrastBackward,
	contrastForward,
	contrastRemoved,
	rowNorms,
	type SoftmaxGradient,
	type Switches,
} from '../support/oracle-contrast.js';
import {integers, newDevice, runOp, tensorOf} from '../support/run-op.js';
import {exact, expectClose, expectSameBits, type Round} from '../support/tolerance.js';

async function expectOracle(device: NativeDevice, {given, gradient, scale, at}: Held) {
	const {lse, mean, count} = await forward(device, given());
	expectSameBits(count, at(exact).softmax().count);
	const ofLse = (round: Round) => finite(at(round).softmax().lse, count);
	expectClose(finite(lse, count), ofLse, {scale: scale().lse});
	expectClose(mean, round => at(round).softmax().mean, {scale: scale().mean});

	const found = await backward(device, given(), gradient());
	for (const name of ['drows', 'dcolumns', 'dtemperature'] as const) {
		expectClose(found[name], round => at(round).back()[name], {scale: scale()[name]});
	}
}

const sizes = grid({
	texts: [1, 2, 5, 17, 33, 97, 300],
	width: [1, 7, 26, 384],
	cosine: ['none', 'both'] as const,
}).map(outline => ({...outline, held: held(outline)}));

const partial = grid({texts: [33], width: [26], cosine: ['rows', 'columns'] as const}).map(
	outline => ({...outline, held: held(outline)}),
);

const choices = grid<Switches>({
	own: [false, true],
	others: [false, true],
	ownHard: [false, true],
	otherHard: [false, true],
}).map(switches => ({
	switches,
	cases: [1, 2, 5, 17].map(texts => held({texts, width: 7, cosine: 'both', switches})),
}));

const extremes = [
	{texts: 97, width: 26, cosine: 'both', temperature: 0.01},
	{texts: 97, width: 26, temperature: 0.01, spread: 30},
	{texts: 33, width: 7, temperature: 100, spread: 1e-3},
	{texts: 33, width: 7, temperature: -0.5},
	{texts: 17, width: 384, cosine: 'both', spread: 1e4, temperature: 0.02},
] satisfies Outline[];
const extremeCases = extremes.map(outline => ({...outline, held: held(outline)}));

const ruleNames: RuleName[] = ['lists', 'sets', 'limit', 'guide'];
const ruled = [
	...ruleNames.map(name => ({texts: 33, width: 26, rules: [name]})),
	...[2, 17, 97].map(texts => ({texts, width: 7, rules: ruleNames})),
	{texts: 300, width: 26, rules: ruleNames},
].map(outline => {
	const whole: Outline = {...outline, cosine: 'both', temperature: 0.5};
	return {...outline, held: held(whole)};
});

const hard = {strength: 3, own: true, others: true};
const bends = [
	{clamp: [-0.1, 0.3]},
	{hardness: hard},
	{hardness: {...hard, own: false}},
	{hardness: {...hard, others: false}},
	{clamp: [-0.2, 0.2], hardness: hard, rules: ruleNames},
	{clamp: [-0.2, 0.2], temperature: -0.5},
] satisfies Partial<Outline>[];
const bentCases = bends.map(bend => ({
	bend,
	cases: [5, 33].map(texts => held({texts, width: 26, cosine: 'both', temperature: 0.3, ...bend})),
}));

const many: Partial<Outline> = {cosine: 'both', temperature: 0.05};
const own = {own: true, ownHard: true, others: false, otherHard: false};
const large = [
	{texts: 1360, width: 7},
	{texts: 1360, width: 7, switches: own},
	{texts: 97, width: 3001},
].map(outline => ({...outline, held: held({...outline, ...many})}));

// More columns, then more rows, than a kernel for cards takes at a time.
const beyond = [
	{texts: 1900, width: 3, only: {rows: 5}},
	{texts: 4100, width: 3, only: {columns: 5}},
].map(outline => ({...outline, held: held({...outline, ...many})}));

const onProcessors = {sizes: [...sizes, ...partial], ruled, large: [...large, ...beyond]};
const onCards: typeof onProcessors = {
	sizes: [...sizes.filter(({texts, width}) => texts < 100 && texts * width < 2600), ...partial],
	ruled: ruled.filter(({texts}) => texts < 100),
	large: beyond,
};

const contrast = (cases: typeof onProcessors) => (device: NativeDevice) => {
	test.each(cases.sizes)(
		'meets its oracle for $texts texts, $width wide, cosine: $cosine',
		({held}) => expectOracle(device, held),
	);

	test.each(choices)('meets its oracle for the switches $switches', async ({cases}) => {
		for (const one of cases) await expectOracle(device, one);
	});

	test.each(extremeCases)(
		'meets its oracle at temperature $temperature for vectors of $spread',
		({held}) => expectOracle(device, held),
	);

	test.each(cases.ruled)(
		'meets its oracle for $texts texts by the rules $rules',
		async ({held}) => {
			await expectOracle(device, held);
			const {removed, suspects} = await removedBy(device, held.given());
			const expected = contrastRemoved(held.given());
			expect([...removed.values]).toEqual([...expected.removed.values]);
			const columns = ({values}: Matrix) => values.filter((_, at) => at % 2 === 0);
			expect(columns(suspects)).toEqual(columns(expected.suspects));
			expectClose(suspects, () => expected.suspects, {scale: 4});
		},
	);

	test.each(bentCases)('meets its oracle for scores that are bent: $bend', async ({cases}) => {
		for (const one of cases) await expectOracle(device, one);
	});

	test.each(cases.large)('meets its oracle for $texts texts, $width wide, of $switches', ({held}) =>
		expectOracle(device, held),
	);

	test.each([1, 7, 26, 384])('inverts lengths, %i wide', async width => {
		const x = randomMatrix(97, width, normals(width));
		x.values.fill(0, 0, width);
		expectClose(await norms(device, x), round => rowNorms(x, round));
	});

	test('gives NaN to the rows that meet a NaN, and to no other', async () => {
		const given = caseOf({texts: 5, width: 7, switches: {others: false, otherHard: false}});
		given.columns.values[2 * 7] = Number.NaN;
		const {lse} = await forward(device, given);
		expect(Array.from(lse.values, Number.isNaN)).toEqual([false, false, true, false, false]);
		const {drows} = await backward(device, given, gradientOf(given));
		expect(drows.values.slice(2 * 7, 3 * 7).every(Number.isNaN)).toBe(true);
	});
};

onEveryPath('contrast', contrast(onProcessors));
onEveryCard('contrast', contrast(onCards));

describe('the oracle', () => {
	const cases = grid({
		cosine: ['none', 'rows', 'columns', 'both'] as const,
		switches: [{}, {others: false}, {own: false, otherHard: false}],
	});
	const cosine = 'both' as const;
	const bent: Outline[] = [
		{texts: 5, width: 3, cosine, clamp: [-0.5, 0.4]},
		{texts: 5, width: 3, cosine, clamp: [-0.5, 0.4], rules: ruleNames},
	];

	test.each([...cases, ...bent])('is the derivative of its forward: %j', outline => {
		const given = caseOf({temperature: 0.2, ...outline, texts: 5, width: 3});
		const gradient = gradientOf(given);
		const {drows, dcolumns, dtemperature} = contrastBackward(given, gradient);
		const limit = Math.max(...drows.values.map(Math.abs)) * 1e-6;
		const loss = (one: ContrastCase) => lossOf(one, gradient);
		const near = (analytic: number, value: (step: number) => ContrastCase) =>
			expect(Math.abs(derivative(step => loss(value(step))) - analytic)).toBeLessThan(limit);
		for (const [at, d] of drows.values.entries()) {
			near(d, step => ({...given, rows: moved(given.rows, at, step)}));
		}
		for (const [at, d] of dcolumns.values.entries()) {
			near(d, step => ({...given, columns: moved(given.columns, at, step)}));
		}
		near(dtemperature.values[0]!, step => ({...given, temperature: given.temperature + step}));
	});
});

/** What the gradient is the gradient of; rows that meet no one have no part in it. */
function lossOf(given: ContrastCase, {dlse, dmean}: SoftmaxGradient): number {
	const {lse, mean, count} = contrastForward(given);
	const shown = finite(lse, count);
	return dlse.values.reduce(
		(sum, d, row) => sum + d * shown.values[row]! + dmean!.values[row]! * mean.values[row]!,
		0,
	);
}

function derivative(value: (step: number) => number): number {
	const step = 1e-4;
	const slope = (h: number) => (value(h) - value(-h)) / (2 * h);
	return (4 * slope(step) - slope(2 * step)) / 3;
}

function moved({rows, columns, values}: Matrix, at: number, step: number): Matrix {
	return matrixOf(rows, columns, index => values[index]! + (index === at ? step : 0));
}

const several = (texts: number, wide: number) => async (device: NativeDevice) => {
	const results: Matrix[] = [];
	const bent: Partial<Outline> = {rules: ruleNames, clamp: [-0.3, 0.3], hardness: hard};
	for (const [width, more] of [[26], [wide], [26, bent], [wide, bent]] as const) {
		const given = caseOf({texts, width, cosine: 'both', temperature: 0.02, ...more});
		const {lse, mean, count} = await forward(device, given);
		const gradient = await backward(device, given, gradientOf(given));
		results.push(lse, mean, count, ...Object.values(gradient));
	}
	return results;
};

sameBitsEverywhere('contrast', several(300, 384));
sameBitsOnCards('contrast', several(70, 40));

onEveryDevice('contrast of one case', device => {
	test('reads keys, sets and lists that make no sense as what equals nothing', async () => {
		const given = caseOf({texts: 5, width: 7, rules: ['sets', 'lists']});
		const plain = await operandsOf(device, given);
		const wild = Int32Array.of(-5, 2 ** 31 - 1, -(2 ** 31), 3, 0, 9, 1, -1, 2 ** 24, 7, 8, 2);
		const listOffsets = integers(device, wild).reshape(2, 6);
		const outputs = {lse: blank(5, 1), count: blank(5, 1)};
		const {count} = await runOp(device, 'contrastForward', {...plain, listOffsets}, outputs);
		expect(count.values.every(each => each >= 0)).toBe(true);
	});

	const given = caseOf({texts: 97, width: 26, cosine: 'both'});

	test('gives a row the same bits whatever rows come with it', async () => {
		const whole = await forward(device, given);
		const first = {rows: 5, columns: 26, values: given.rows.values.slice(0, 5 * 26)};
		const part = await forward(device, {...given, rows: first});
		expect(part.lse.values).toEqual(whole.lse.values.slice(0, 5));
		expect(part.mean.values).toEqual(whole.mean.values.slice(0, 5));
	});

	test.each(['drows', 'dcolumns', 'dtemperature'] as const)(
		'gives %s alone the bits it has beside the others',
		async name => {
			const gradient = gradientOf(given);
			const all = await backward(device, given, gradient);
			const outputs = {[name]: blankGradient(given)[name]};
			const alone = await backward(device, given, gradient, outputs);
			expectSameBits(alone[name]!, all[name]);
		},
	);

	test('takes a missing gradient of the mean for zero', async () => {
		const {dlse} = gradientOf(given);
		const without = await backward(device, given, {dlse});
		const zero = await backward(device, given, {dlse, dmean: zeros(97, 1)});
		expectSameBits(without.drows, zero.drows);
	});

	test('counts in whole numbers where they are wanted', async () => {
		const {owner, ...operands} = await operandsOf(device, given);
		const indices = device.tensor(owner.length, 1, 'i32');
		device.write(indices, owner);
		const fields = Object.entries(operands).map(([name, value]) => [
			name,
			typeof value === 'object' ? tensorOf(device, value) : value,
		]);
		const count = device.tensor(97, 1, 'i32');
		const lse = device.tensor(97, 1, 'f32');
		device.run('contrastForward', {...Object.fromEntries(fields), owner: indices, lse, count});
		const counts = new Int32Array(97);
		await device.read(count, counts);
		expect([...counts]).toEqual([...contrastForward(given).count.values]);
	});

	test('of no columns, or no rows, gives minus infinity and zeros', async () => {
		const nobody = {...given, columns: zeros(0, 26), owner: new Int32Array(0), positives: 0};
		const {lse, count} = await forward(device, nobody);
		expect(lse.values.every(value => value === -Infinity)).toBe(true);
		expect(count.values.every(value => value === 0)).toBe(true);
	});
});

describe('contrast', () => {
	const device = newDevice(2);
	const given = caseOf({texts: 33, width: 26, cosine: 'both'});

	test('needs less than 24 MB for 16384 rows against as many columns', async () => {
		const one = new (native().Device)(2);
		const n = 16384;
		const vectors = matrixOf(n, 384, at => Math.sin(at));
		const owner = one.tensor(n, 1, 'i32');
		one.write(
			owner,
			Int32Array.from({length: n}, (_, row) => row),
		);
		const column = () =>
			tensorOf(
				one,
				matrixOf(n, 1, () => 1 / n),
			);
		const outputs = {lse: column(), count: column()};
		const operands = {
			rows: tensorOf(one, vectors),
			columns: tensorOf(one, vectors),
			temperature: tensorOf(
				one,
				matrixOf(1, 1, () => 1),
			),
			owner,
			positives: n,
			others: false,
		};
		const gradient = {drows: tensorOf(one, vectors), dcolumns: tensorOf(one, vectors)};
		const dlse = column();
		await one.synchronize();
		const before = one.statistics().bytes;
		one.run('contrastForward', {...operands, ...outputs});
		one.run('contrastBackward', {...operands, ...outputs, dlse, ...gradient});
		await one.synchronize();
		expect(one.statistics().bytes - before).toBeLessThan(24 * 2 ** 20);
	});

	const wrong = [
		['columns of another width', {columns: zeros(47, 25)}, 'columns'],
		['too few owners', {owner: new Int32Array(3)}, 'owner'],
		['more positives than columns', {positives: 1000}, 'positives'],
		['two temperatures', {temperature: zeros(2, 1)}, 'temperature'],
		['too few scales', {rowScale: zeros(3, 1)}, 'rowScale'],
		['no owners', {owner: undefined}, 'owner'],
		['limits of some rows', {limit: zeros(5, 1)}, 'limit'],
		['sets of rows alone', {rowSet: new Int32Array(33)}, 'columnSet'],
		['a guide without vectors', {guideLimit: zeros(33, 1)}, 'guideRows'],
	] as const;

	test.each(wrong)('refuses %s', async (_, change, named) => {
		const operands = {...(await operandsOf(device, given)), ...change};
		const outputs = {lse: blank(33, 1), count: blank(33, 1)};
		await expect(runOp(device, 'contrastForward', operands, outputs)).rejects.toThrow(
			new RegExp(`^contrastForward: expected .*${named}`),
		);
	});
});
