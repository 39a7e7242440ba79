import {describe, expect, onTestFinished, test} from 'vitest';
import {openDataset} from '../../dist/data/dataset.js';
import {perSetOf} from '../../dist/data/per-set.js';
import {Rows} from '../../dist/data/rows.js';
import {temporaryFolder} from '../files/folder.js';

const {put} = temporaryFolder();
const records = (name: string) =>
	Array.from({length: 20}, (_, n) =>
		JSON.stringify({
			query: `${name} query ${n}`,
			pos: [`${name} first ${n}`, `${name} second ${n}`],
			neg: [`${name} negative ${n}`, `${name} other ${n}`],
			teacher_scores: [0, 1, n, -1],
		}),
	).join('\n');
const sources = ['a', 'b'].map(name => `${name}=${put(`${name}.jsonl`, records(name))}`);

async function rowsOf(given: readonly string[], options: object = {}) {
	const perSet = perSetOf(given);
	const dataset = await openDataset(sources, {perSet});
	onTestFinished(() => dataset.close());
	const rows = await Rows.select(dataset, {...options, perSet});
	const numbers = Array.from({length: rows.used}, (_, n) => rows.at(n));
	return rows.read(numbers, 0);
}

describe('what holds for one data set', () => {
	test('chooses its positives, and no one else’s', async () => {
		const rows = await rowsOf(['b.positives=teacher']);
		const positiveOf = (n: number, name: string) =>
			n < 2 ? `${name} second ${n}` : `${name} negative ${n}`;
		for (const [n, row] of rows.slice(0, 20).entries()) expect(row.positive).toBe(`a first ${n}`);
		for (const [n, row] of rows.slice(20).entries()) {
			// Of equal scores the first counts.
			expect(row.positive).toBe(n === 1 ? 'b second 1' : positiveOf(n, 'b'));
		}
	});

	test('draws at random in its set alone', async () => {
		const rows = await rowsOf(['a.positives=random', 'a.negative-choice=random'], {negatives: 1});
		const firsts = (from: number) =>
			rows.slice(from, from + 20).filter(({positive}) => positive?.includes('first')).length;
		expect(firsts(0)).toBeGreaterThan(0);
		expect(firsts(0)).toBeLessThan(20);
		expect(firsts(20)).toBe(20);
		expect(rows.slice(20).every(({negatives}) => negatives[0]!.includes('negative'))).toBe(true);
		expect(rows.slice(0, 20).some(({negatives}) => negatives[0]!.includes('other'))).toBe(true);
	});

	test('limits its records and filters them', async () => {
		const rows = await rowsOf(['a.max-rows=3', 'a.max-rows-choice=last', 'b.teacher-margin=10']);
		const queries = rows.map(({query}) => query);
		expect(queries.slice(0, 3)).toEqual([17, 18, 19].map(n => `a query ${n}`));
		expect(queries.slice(3)).toEqual(Array.from({length: 11}, (_, n) => `b query ${n + 9}`));
	});

	test.each([
		['max-rows=3', 'OPTION_TYPE'],
		['a.max-rows=0', 'OPTION_RANGE'],
		['a.max-rows=x', 'OPTION_RANGE'],
		['a.positives=each', 'OPTION_RANGE'],
		['a.negatives=3', 'OPTION_RANGE'],
	])('is refused as %s', (text, code) => {
		expect(() => perSetOf([text])).toThrow(expect.objectContaining({code}));
	});

	test('is refused for a set that is not there, and beside rows of every positive', async () => {
		await expect(rowsOf(['c.max-rows=3'])).rejects.toThrow(/among a, b, got c/);
		await expect(rowsOf(['a.positives=first'], {positives: 'each'})).rejects.toMatchObject({
			code: 'OPTION_CONFLICT',
		});
	});
});
