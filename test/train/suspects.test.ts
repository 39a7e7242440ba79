// The file of suspected pairs: the ones of the highest scores, each once, and the same for a run that was
// stopped.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
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
		'suspects: expected the mask margin or guide, got none',
	);
});
