// Tiny models of every family against exact hidden rows, poolings and gradients from torch.

import {existsSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {onEveryPath} from '../support/kernel-paths.js';
import {embeddingsOf, encode, forward, gradients} from '../support/tiny-model.js';
import {gradientLimit, worstError} from '../support/tolerance.js';
import {
	type FamilyFolder,
	familyFolders,
	fixtures,
	goldenBatch,
	goldenGradients,
	goldenMatrix,
	loadFamily,
	sharedFixtures,
} from './families.js';

function agreesWithTorch({path, hiddenError}: FamilyFolder): void {
	/** What the README of the fixtures allows. */
	const limit = 3 * hiddenError;

	test('gives the hidden rows of torch', async () => {
		const {model} = await loadFamily(path);
		const [batch, hidden] = [await goldenBatch(path), await goldenMatrix(path, 'hidden_last')];
		expect(worstError(await encode(model, batch), hidden).error).toBeLessThan(limit);
		expect(worstError(await forward(model, batch), hidden).error).toBeLessThan(limit);
	});

	test.each(['cls', 'mean', 'last'] as const)('pools by %s as torch does', async pooling => {
		const {model} = await loadFamily(path, {pooling});
		const pooled = await encode(model, await goldenBatch(path));
		const expected = await goldenMatrix(path, `pooled_${pooling}`);
		expect(worstError(pooled, expected).error).toBeLessThan(limit);
	});

	test('gives the gradients of torch to every tensor of the file', async () => {
		const {model, mapped} = await loadFamily(path);
		const [batch, gradient] = [await goldenBatch(path), await goldenMatrix(path, 'gradient_seed')];
		expect(embeddingsOf(model, batch)).toMatchObject({rows: gradient.rows});
		const found = await gradients(model, [{batch, gradient}]);
		const expected = await goldenGradients(path);
		expect(mapped.map(({file}) => file).toSorted()).toEqual([...expected.keys()].toSorted());
		for (const {file, parameter, at, count} of mapped) {
			const values = found.get(parameter)!.values.slice(at, at + count);
			const exact = expected.get(file)!;
			const {error, where} = worstError({rows: 1, columns: count, values}, exact);
			expect(error, `${file}, ${where}`).toBeLessThan(gradientLimit(exact, expected.values()));
		}
	});
}

const own = familyFolders(fixtures);

test('there is a tiny model of every family', () => {
	expect(own).toHaveLength(18);
});

onEveryPath('a tiny model of', () => {
	describe.each(own)('$name', agreesWithTorch);
});

const reason = existsSync(sharedFixtures) ? '' : ' (skipped: no shared fixtures)';

describe.skipIf(reason)(`a wider model${reason} of`, () => {
	describe.each(familyFolders(sharedFixtures))('$name', agreesWithTorch);
});
