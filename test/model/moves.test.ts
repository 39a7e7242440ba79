// Moves of the weights along their gradients, and gradients that are held meanwhile: all of it comes back to
// the bit, on the CPU and on a card.

import {describe, expect, test} from 'vitest';
import {devices} from '../support/cards.js';
import {type Matrix, normals, randomMatrix} from '../support/matrix.js';
import {readParameters} from '../support/parameters.js';
import {
	batchOf,
	embeddingsOf,
	gradients,
	layerNorm,
	readGradients,
	specOf,
	type TinyModel,
	tinyModel,
} from '../support/tiny-model.js';

const spec = specOf({
	...{width: 24, heads: 3, norms: {after: layerNorm}, bias: true, activation: 'gelu'},
});
const batch = batchOf([3, 5]);
const frozen = 'blocks.1.mlp.up.weight';

const weightsOf = ({core}: TinyModel) => readParameters(core);

function passes(model: TinyModel, seed: number): Promise<Map<string, Matrix>> {
	const {rows, columns} = embeddingsOf(model, batch);
	return gradients(model, [{batch, gradient: randomMatrix(rows, columns, normals(seed))}]);
}

describe.each(devices)('on $name', ({open}) => {
	async function prepared(): Promise<TinyModel> {
		const model = await tinyModel(spec, open());
		await model.core.prepareTraining([frozen]);
		return model;
	}

	test('weights are put back to the bit after each kind of move', async () => {
		const model = await prepared();
		const {core} = model;
		await passes(model, 1);
		const before = await weightsOf(model);
		const moved = async () => {
			const after = await weightsOf(model);
			return [...before].filter(([name, values]) =>
				values.some((value, at) => value !== after.get(name)![at]),
			);
		};
		const names = async () => (await moved()).map(([name]) => name);
		core.perturb({rate: 1, radius: 1});
		expect(await names()).toEqual(['embedding.tokens']);
		core.perturb({rate: 1, radius: 1});
		core.undoPerturb();
		expect(await weightsOf(model)).toEqual(before);
		core.perturb({matrices: true, rate: 0.01, bound: 0.2});
		const matrices = core.parameters().filter(({decay, trained}) => decay && trained);
		const found = await names();
		expect(matrices.map(({name}) => name)).toEqual(expect.arrayContaining(found));
		expect(found).toContain('blocks.0.mlp.up.weight');
		expect(found).not.toContain(frozen);
		core.undoPerturb();
		expect(await weightsOf(model)).toEqual(before);
	});

	test('gradients that are held come back to the bit', async () => {
		const model = await prepared();
		const first = await passes(model, 1);
		model.core.holdGradients();
		expect(await passes(model, 2)).not.toEqual(first);
		model.core.returnGradients();
		expect(await readGradients(model)).toEqual(first);
	});
});
