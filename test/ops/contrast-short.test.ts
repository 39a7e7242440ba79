// The contrastive softmax by tensor cores. Of vectors that 16 bits hold its scores are those of float32;
// gradients are of coefficients rounded to 16 bits.

import {expect, test} from 'vitest';
import {onEveryCard, sameBitsOnCards} from '../support/cards.js';
import {
	backward,
	caseOf,
	finite,
	forward,
	gradientOf,
	held,
	type Outline,
} from '../support/contrast-cases.js';
import {newDevice} from '../support/run-op.js';
import {exact, expectClose, expectSameBits, type Round, worstError} from '../support/tolerance.js';

const bent: Partial<Outline> = {
	rules: ['lists', 'sets', 'limit'],
	clamp: [-0.2, 0.3],
	hardness: {strength: 3, own: true, others: true},
};
const outlines: Outline[] = [
	{texts: 1, width: 1},
	{texts: 2, width: 400},
	{texts: 17, width: 40},
	{texts: 33, width: 26, switches: {others: false, otherHard: false}},
	// Of a row's tiles some without candidates lie between others.
	{texts: 130, width: 16, switches: {others: false, otherHard: false}},
	{texts: 70, width: 33},
	{texts: 70, width: 16, ...bent},
	{texts: 1900, width: 8, only: {rows: 3}},
	{texts: 4100, width: 3, only: {columns: 3}},
];
const cases = outlines.map(outline => {
	const whole: Outline = {cosine: 'both', temperature: 0.3, ...outline, short: true};
	return {...outline, held: held(whole)};
});

onEveryCard('contrast of 16 bits', device => {
	test.each(cases)('meets its oracle for $texts texts, $width wide', async ({held: one}) => {
		const {given, gradient, at} = one;
		const {lse, mean, count} = await forward(device, given());
		expectSameBits(count, at(exact).softmax().count);
		const ofLse = (round: Round) => finite(at(round).softmax().lse, count);
		expectClose(finite(lse, count), ofLse, {scale: one.scale().lse});
		expectClose(mean, round => at(round).softmax().mean, {scale: one.scale().mean});
		const found = await backward(device, given(), gradient());
		const scale = one.scale();
		const ofTemperature = (round: Round) => at(round).back().dtemperature;
		expectClose(found.dtemperature, ofTemperature, {scale: scale.dtemperature});
		for (const name of ['drows', 'dcolumns'] as const) {
			const {error} = worstError(found[name], at(exact).back()[name]);
			expect(error, name).toBeLessThanOrEqual(2 ** -8 * scale[name]);
		}
	});
});

sameBitsOnCards('contrast of 16 bits', async device => {
	const given = caseOf({texts: 70, width: 33, cosine: 'both', short: true});
	const {lse, mean} = await forward(device, given);
	return [lse, mean, ...Object.values(await backward(device, given, gradientOf(given)))];
});

test('products of 16 bits are refused on the cpu', async () => {
	const given = caseOf({texts: 2, width: 16, short: true});
	await expect(forward(newDevice(), given)).rejects.toThrow(
		'contrastForward: expected shortProducts on a card alone',
	);
});
