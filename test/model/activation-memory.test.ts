// What a pass is said to take, beside what the engine takes.

import {expect, test} from 'vitest';
import {passMemory} from '../../dist/model/activation-memory.js';
import {readModelFolder} from '../../dist/model/folder.js';
import {loadWeights} from '../../dist/model/load.js';
import {normals, randomMatrix} from '../support/matrix.js';
import {newDevice} from '../support/run-op.js';
import {embeddingsOf, forward, gradients} from '../support/tiny-model.js';
import {familyFolders, fixtures, goldenBatch, sharedFixtures} from './families.js';

const families = [...familyFolders(fixtures), ...familyFolders(sharedFixtures)];
const cases = families.flatMap(family => [
	{...family, recompute: false},
	{...family, recompute: true},
]);

test.each(cases)('of $name is what it keeps, recomputed: $recompute', async ({path, recompute}) => {
	const found = await readModelFolder(path, {pooling: 'mean'});
	const dense = [{width: 10, bias: true, activation: 'tanh'} as const];
	const spec = {...found.spec, head: {pooling: ['mean', 'max'] as const, dense, normalize: true}};
	const device = newDevice(1);
	const place = {name: 'cpu', kernels: '', dtype: 'f32', threads: 0, native: device} as const;
	const {core} = await loadWeights([{...found, spec}], place);
	await core.prepareTraining([]);
	const model = {spec, device, core, weights: new Map()};
	const batch = await goldenBatch(path);
	const {rows, columns} = embeddingsOf(model, batch);
	const gradient = randomMatrix(rows, columns, normals(1));
	await gradients(model, [{batch, gradient}], undefined, recompute);
	await forward(model, batch);
	const shape = {tokens: batch.ids.length, texts: batch.texts.length, recompute};
	const {saved} = passMemory(spec, shape);
	const {savedPeak} = core.statistics();
	// Each matrix begins on a cache line.
	const matrices = 20 * (2 + spec.blocks.length);
	expect(savedPeak - saved).toBeGreaterThanOrEqual(0);
	expect(savedPeak - saved).toBeLessThan(64 * matrices);
	await core.dispose();
});
