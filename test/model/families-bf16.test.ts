// The tiny models of every family in 16 bits on a card, beside what they mean in float64.

import {test} from 'vitest';
import {native} from '../../dist/native.js';
import {cardAddonPath} from '../support/emulated.js';
import {type Matrix, matrixOf} from '../support/matrix.js';
import {forward64, type Weights} from '../support/model64.js';
import {expectNear} from '../support/nearness-bf16.js';
import {encode, select, type TinyModel} from '../support/tiny-model.js';
import {familyFolders, fixtures, goldenBatch, loadFamily} from './families.js';

process.env.INBATCH_NATIVE = cardAddonPath;

async function weightsOf({core}: TinyModel): Promise<Weights> {
	const weights = new Map<string, Matrix>();
	for (const {name, rows, columns} of core.parameters()) {
		const values = new Float32Array(rows * columns);
		await core.read('weight', name, 0, values);
		weights.set(
			name,
			matrixOf(rows, columns, at => values[at]!),
		);
	}
	return weights;
}

test.each(familyFolders(fixtures))('$name is near to float64', async ({path}) => {
	const device = new (native().Device)({card: 0});
	const {model} = await loadFamily(path, {pooling: 'mean', device, dtype: 'bf16'});
	const batch = select(await goldenBatch(path), [1, 2, 5]);
	const meaning = forward64(model.spec, await weightsOf(model), batch);
	expectNear(await encode(model, batch), meaning, model.spec);
});
