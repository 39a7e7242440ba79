// The file of suspected pairs: the ones of the highest scores, each once, and the same for a run that was
// stopped.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import type {Loss} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {weightedSum} from '../../dist/loss/weighted-sum.js';
import type {Suspect} from '../../dist/train/suspects.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {loadTiny, quick, rowsOf, stoppingAt, trained} from './tiny.js';

const {folder} = temporaryFolder();
const loss = () => infoNce({mask: ['margin'], maskMargin: 0.2});
const data = rowsOf(24).map((row, n) => ({...row, query_id: `q${n}`, pos_ids: [`d${n}`]}));
const options = {...quick, data, saveSteps: 1, keep: 9, suspects: true};

function suspectsIn(output: string): Suspect[] {
	const text = readFileSync(join(output, 'suspects.jsonl'), 'utf8');
	return text
		.split('\n')
		.filter(Boolean)
		.map(line => JSON.parse(line) as Suspect);
}

test('names the pairs of the highest scores, each once', async () => {
	const output = join(folder, 'whole');
	await train(await loadTiny(), {...options, loss: loss(), epochs: 3, output});
	const suspects = suspectsIn(output);
	expect(suspects.length).toBeGreaterThan(5);
	const scores = suspects.map(({score}) => score);
	expect(scores).toEqual(scores.toSorted((a, b) => b - a));
	const keys = suspects.map(({query, suspect}) => `${query}|${suspect}`);
	expect(new Set(keys).size).toBe(keys.length);
	const texts = new Set(data.flatMap(({positive, negatives}) => [positive, ...negatives]));
	for (const {query, positive, suspect, queryId, suspectId} of suspects) {
		const row = data.find(each => each.query === query)!;
		expect([row.positive, row.query_id]).toEqual([positive, queryId]);
		expect(suspect).not.toBe(positive);
		expect(texts).toContain(suspect);
		expect(suspectId).toBe(data.find(each => each.positive === suspect)?.pos_ids[0]);
	}
});

test('scores them by the model as it was', async () => {
	const output = join(folder, 'scored');
	const model = await loadTiny();
	const vector = async (text: string) => model.embed(text);
	await train(await loadTiny(), {...options, loss: loss(), steps: 1, dropout: 0, output});
	const [first] = suspectsIn(output);
	const [a, b] = [await vector(first!.query), await vector(first!.suspect)];
	expect(first!.score).toBeCloseTo(
		a.reduce((sum, x, k) => sum + x * b[k]!, 0),
		4,
	);
});

test.each([
	['nested widths', (mask: Loss) => matryoshka(mask, {widths: [64, 16]})],
	['a weighted sum', (mask: Loss) => weightedSum([{loss: mask}, {loss: infoNce(), weight: 0.1}])],
	['R-Drop', (mask: Loss) => rDrop(mask)],
])('is written under %s too, by the whole width', async (name, make) => {
	const output = join(folder, name);
	const still = {...options, steps: 1, dropout: 0};
	await train(await loadTiny(), {...still, loss: make(loss()), output});
	const alone = join(folder, `${name} alone`);
	await train(await loadTiny(), {...still, loss: loss(), output: alone});
	const rounded = (path: string) =>
		suspectsIn(path).map(({score, ...rest}) => ({...rest, score: Math.round(1e4 * score)}));
	expect(rounded(output)).toEqual(rounded(alone));
});

test('has the own negatives that a teacher scores above the positive', async () => {
	const taught = rowsOf(8).map((row, n) => ({
		...row,
		negatives: [`this is not ${n}`, `nor is this ${n}`],
		teacher_scores: [2, n % 2 === 0 ? 1 : 3, n === 3 ? 5 : 0],
	}));
	const output = join(folder, 'taught');
	const asked = {...options, data: taught, loss: infoNce({mask: ['teacher']}), steps: 1};
	const model = await loadTiny();
	const vectors = await Promise.all(
		['what is the sign 1', 'this is not 1'].map(text => model.embed(text)),
	);
	await train(await loadTiny(), {...asked, dropout: 0, output});
	const found = suspectsIn(output);
	expect(found.map(({query, suspect}) => [query, suspect]).toSorted()).toEqual(
		[1, 3, 5, 7].map(n => [taught[n]!.query, taught[n]!.negatives[n === 3 ? 1 : 0]!]).toSorted(),
	);
	const [first] = found.filter(({query}) => query === 'what is the sign 1');
	const cosine = vectors[0]!.reduce((sum, x, n) => sum + x * vectors[1]![n]!, 0);
	expect(first!.score).toBeCloseTo(cosine, 4);
});

test('is the same for a run that was stopped', async () => {
	const [whole, stopped] = [join(folder, 'one'), join(folder, 'two')];
	const all = {...options, epochs: 2};
	await train(await loadTiny(), {...all, loss: loss(), output: whole});
	const halfway = train(await loadTiny(), {
		...all,
		loss: loss(),
		output: stopped,
		...stoppingAt(3),
	});
	await expect(halfway).rejects.toThrow('stopped at 3');
	await train(await loadTiny(), {...all, loss: loss(), output: stopped, resume: true});
	expect(suspectsIn(stopped)).toEqual(suspectsIn(whole));
});

test('is refused without a folder or a mask that scores', async () => {
	await expect(trained({...quick, suspects: true, loss: loss()})).rejects.toThrow(
		'suspects: expected --output to write them to, got none',
	);
	const output = join(folder, 'none');
	await expect(trained({...quick, suspects: true, output})).rejects.toThrow(
		'suspects: expected the mask margin or guide or teacher, got none',
	);
});
