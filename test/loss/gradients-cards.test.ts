// A part of the gradient grid on a card, in f32: every loss with its defaults at one size, element by
// element.

import {expect, test} from 'vitest';
import {losses} from '../../dist/loss/index.js';
import {expectGradients} from '../support/differences.js';
import {cardAddonPath} from '../support/emulated.js';
import {evaluated} from '../support/evaluated-loss.js';
import {drawnFor, listedLosses} from '../support/loss-cases.js';
import {plainGradients, plainLoss} from '../support/plain-loss.js';

process.env.INBATCH_NATIVE = cardAddonPath;
const card = {device: 'cuda', dtype: 'f32'};

const plain = listedLosses.filter(([name]) => name in losses);

test.each(plain)('%s has the gradient of its meaning', async (_, loss) => {
	const given = drawnFor(loss, 4, 6);
	const {value, gradients} = await evaluated(loss, given, 1, card);
	expect(value.values[0]).toBeCloseTo(plainLoss(loss, given).value, 3);
	expectGradients(gradients, plainGradients(loss, given), 1);
});
