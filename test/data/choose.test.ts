import {expect, onTestFinished, test} from 'vitest';
import {type ChoiceOptions, choiceRule, choose} from '../../dist/data/choose.js';
import {openDataset} from '../../dist/data/dataset.js';
import {Rows} from '../../dist/data/rows.js';

const supply = {positives: 3, negatives: 15};

function draw(options: ChoiceOptions, {row = 0, epoch = 0} = {}, from = supply) {
	return choose(choiceRule(options), {row, epoch}, from);
}

const numbers = (length: number) => Array.from({length}, (_, n) => n);
const most = (values: number[]) =>
	Math.max(...values.map(value => values.filter(other => other === value).length));

test('By default a row takes the first positive and all negatives in their order', () => {
	expect(draw({})).toEqual({positive: 0, negatives: numbers(15)});
	expect(draw({negatives: 4})).toEqual({positive: 0, negatives: [0, 1, 2, 3]});
	expect(draw({negatives: 0}).negatives).toEqual([]);
});

test('Random choices are the same for the same seed, epoch and row, and no others', () => {
	const options = {negatives: 5, negativeChoice: 'random', seed: 3} as const;
	const first = draw(options);
	expect(draw(options)).toEqual(first);
	expect(most(first.negatives)).toBe(1);
	expect(draw(options, {epoch: 1})).not.toEqual(first);
	expect(draw(options, {row: 1})).not.toEqual(first);
	expect(draw({...options, seed: 4})).not.toEqual(first);
});

test('Random positives differ between epochs, and with resample once they do not', () => {
	const positives = (resample: 'epoch' | 'once') =>
		numbers(50).map(epoch => draw({positives: 'random', resample}, {epoch}).positive);
	expect([...new Set(positives('epoch'))].sort()).toEqual([0, 1, 2]);
	expect(new Set(positives('once')).size).toBe(1);
});

test('Over epochs every negative is drawn equally often', () => {
	const counts = new Array<number>(15).fill(0);
	for (const epoch of numbers(3000)) {
		for (const n of draw({negatives: 5, negativeChoice: 'random'}, {epoch}).negatives) counts[n]!++;
	}

	for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
});

test.each([
	['tile', 'first', [...numbers(15), 0, 1, 2, 3, 4]],
	['fewer', 'first', numbers(15)],
	['fewer', 'random', numbers(15)],
] as const)(
	'A shortage with %s and %s takes what it should',
	(onShortage, negativeChoice, expected) => {
		expect(draw({negatives: 20, onShortage, negativeChoice}).negatives).toEqual(expected);
	},
);

test('Tiling at random takes no text more than twice of 15 for 20', () => {
	for (const epoch of numbers(100)) {
		const {negatives} = draw(
			{negatives: 20, onShortage: 'tile', negativeChoice: 'random'},
			{epoch},
		);
		expect([negatives.length, most(negatives)]).toEqual([20, 2]);
	}
});

test('Replacing keeps all and draws the rest again', () => {
	const {negatives} = draw({negatives: 20, onShortage: 'replace'});
	expect(negatives.slice(0, 15)).toEqual(numbers(15));
	expect(negatives.slice(15).every(n => n >= 0 && n < 15)).toBe(true);
	expect(negatives).toHaveLength(20);
});

test.each([-1, 1.5, Number.NaN])('%d negatives are refused', negatives => {
	expect(() => choiceRule({negatives})).toThrow(expect.objectContaining({code: 'OPTION_RANGE'}));
});

const data = [
	{query: 'q0', pos: ['p0', 'p1'], neg: ['n0', 'n1'], prompt: 'P: '},
	{query: 'q1', pos: 'p2'},
	{query: 'q2', pos: ['p3', 'p4', 'p5'], neg: ['n2']},
];

async function rowsOf(options: ChoiceOptions) {
	const dataset = await openDataset([data]);
	onTestFinished(() => dataset.close());
	return Rows.select(dataset, options);
}

test('Each positive has a row of its own, with the negatives of its record', async () => {
	const rows = await rowsOf({positives: 'each'});
	expect(rows.length).toBe(6);
	expect(numbers(6).map(row => rows.record(row))).toEqual([0, 0, 1, 2, 2, 2]);
	expect(await rows.read([5, 0, 1, 2], 0)).toMatchObject([
		{query: 'q2', positive: 'p5', negatives: ['n2']},
		{query: 'q0', positive: 'p0', negatives: ['n0', 'n1'], prompt: 'P: '},
		{query: 'q0', positive: 'p1', negatives: ['n0', 'n1'], prompt: 'P: '},
		{query: 'q1', positive: 'p2', negatives: []},
	]);
	expect(await rows.locate([5, 2])).toEqual(['records:3', 'records:2']);
});

test('A shortage may leave the record out', async () => {
	const rows = await rowsOf({negatives: 2, onShortage: 'drop', positives: 'each'});
	expect([rows.length, rows.short]).toEqual([6, 4]);
	expect(rows.messages).toEqual(['4 rows left out: too few negatives']);
	expect(numbers(6).filter(row => rows.choose(row, 0) !== undefined)).toEqual([0, 1]);
});

test('Records without any negatives may be left out where others are tiled', async () => {
	const rows = await rowsOf({negatives: 3, onShortage: 'tileOrDrop'});
	expect([rows.length, rows.short]).toEqual([3, 1]);
	expect(rows.messages).toEqual(['1 rows left out: too few negatives']);
	const taken = [0, 1, 2].map(row => rows.choose(row, 0)?.negatives.length);
	expect(taken).toEqual([3, undefined, 3]);
});

test('A shortage may be an error that names the records', async () => {
	await expect(rowsOf({negatives: 2, onShortage: 'error'})).rejects.toMatchObject({
		code: 'DATA_ROW',
		message:
			'records:2: expected 2 negatives, got 0; 2 such records in all, also records:3; ' +
			'lower --negatives or use --on-shortage fewer or drop',
	});
});

test.each(['tile', 'replace'] as const)(
	'Without any negative there is nothing to %s',
	async onShortage => {
		await expect(rowsOf({negatives: 2, onShortage})).rejects.toMatchObject({
			code: 'DATA_ROW',
			message: expect.stringMatching(
				`^records:2: expected a negative to ${onShortage}, got 0; lower`,
			),
		});
	},
);
