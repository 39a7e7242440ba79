// Adversarial training: what each attack reads, and what a run makes of it.

import {expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import {attackOf} from '../../dist/train/adversarial.js';
import {train} from '../../dist/train/train.js';
import {hashesOf, loadTiny, quick, trained} from './tiny.js';

test.each([
	['fgm', {start: 1, moves: 1, move: {rate: 1}}],
	['pgd', {start: 1, moves: 3, move: {rate: 0.3, radius: 1}}],
	['awp', {start: 1, moves: 1, move: {matrices: true, rate: 0.01, bound: 0.2}}],
] as const)('%s has the sizes of its users', (adversarial, expected) => {
	expect(attackOf({adversarial}, [])).toEqual(expected);
});

test.each([
	[
		{adversarialEpsilon: 1},
		'adversarial-epsilon: expected --adversarial fgm or pgd or awp beside it, got none',
	],
	[
		{adversarialStart: 2},
		'adversarial-start: expected --adversarial fgm or pgd or awp beside it, got none',
	],
	[
		{adversarial: 'fgm', adversarialRate: 1},
		'adversarial-rate: expected --adversarial pgd or awp beside it, got fgm',
	],
	[
		{adversarial: 'awp', adversarialSteps: 2},
		'adversarial-steps: expected --adversarial pgd beside it, got awp',
	],
	[
		{adversarial: 'pgd', freeze: ['embeddings']},
		'adversarial: expected a table of tokens that is trained for pgd',
	],
] as const)('%j is refused', async (asked, message) => {
	const options = {...quick, ...asked, freeze: [...('freeze' in asked ? asked.freeze : [])]};
	await expect(train(await loadTiny(), options)).rejects.toThrow(
		expect.objectContaining({code: 'OPTION_CONFLICT', message: expect.stringContaining(message)}),
	);
});

test('a step before the first that is attacked is as without', async () => {
	const plain = await trained({steps: 3});
	const late = await trained({steps: 3, adversarial: 'fgm', adversarialStart: 3});
	expect(late.losses).toEqual(plain.losses);
	expect(await hashesOf(late.model)).not.toEqual(await hashesOf(plain.model));
});

test('an aborted pass at moved weights leaves the model where the step began', async () => {
	const stopped = new AbortController();
	const model = await loadTiny();
	const losses = {count: 0};
	const base = infoNce();
	// Aborts within the loss of the second pass of the second step.
	const loss: typeof base = Object.assign(
		(...given: Parameters<typeof base>) => {
			if (++losses.count === 4) stopped.abort(new Error('enough'));
			return base(...given);
		},
		{needs: base.needs, options: base.options},
	);
	const asked = {...quick, adversarial: 'awp', loss, signal: stopped.signal} as const;
	await expect(train(model, asked)).rejects.toThrow('enough');
	const once = await loadTiny();
	const after = new AbortController();
	const first = {...asked, loss: infoNce(), signal: after.signal};
	await expect(
		train(once, {...first, onStep: () => after.abort(new Error('one'))}),
	).rejects.toThrow('one');
	expect(await hashesOf(model)).toEqual(await hashesOf(once));
});

test('a queue of documents takes in those of the clean pass alone', async () => {
	const asked = {loss: infoNce({queue: 8}), steps: 3} as const;
	const plain = await trained(asked);
	const attacked = await trained({...asked, adversarial: 'fgm', adversarialEpsilon: 1e-12});
	expect(attacked.losses[1]).toBeCloseTo(plain.losses[1]!, 6);
});

test('learned numbers of a loss get the gradient of both passes', async () => {
	const asked = {loss: infoNce({learnTemperature: true}), steps: 2, clip: 0} as const;
	const norms: number[] = [];
	const seen = {onStep: ({gradientNorm}: {gradientNorm: number}) => norms.push(gradientNorm)};
	await trained({...asked, steps: 1, onStep: seen.onStep as never});
	await trained({
		...asked,
		steps: 1,
		adversarial: 'fgm',
		adversarialEpsilon: 1e-9,
		onStep: seen.onStep as never,
	});
	// Where nothing moves, the sum of both gradients is twice the one, temperature and all.
	expect(norms[1]! / norms[0]!).toBeCloseTo(2, 5);
});
