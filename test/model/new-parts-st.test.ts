// What is saved with new parts opens in sentence-transformers, to the same vectors. Oracle: expected.json,
// which sentence-transformers made of the saved folders (test/fixtures/heads/make.py).

import {readFileSync} from 'node:fs';
import {expect, onTestFinished, test} from 'vitest';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {routes} from '../../dist/model/router.js';
import {cases} from '../fixtures/heads/cases.mjs';

type Expected = {texts: string[]; cases: Record<string, Record<string, number[][]>>};

const {texts, cases: expected} = JSON.parse(
	readFileSync(new URL('../fixtures/heads/expected.json', import.meta.url), 'utf8'),
) as Expected;

test.each(Object.keys(cases))('%s gives the vectors of sentence-transformers', async name => {
	const {source, options} = cases[name]!;
	const model = await EmbeddingModel.load(source, options);
	onTestFinished(() => model.dispose());
	for (const [route, rows] of Object.entries(expected[name]!)) {
		const options = routes.filter(one => one === route).map(one => ({route: one}))[0];
		const {data} = await model.encode(texts, options);
		const vectors = rows.flat();
		expect(data.length).toBe(vectors.length);
		const off = data.map((value, n) => Math.abs(value - vectors[n]!));
		expect(Math.max(...off), route).toBeLessThan(2e-6);
	}
});
