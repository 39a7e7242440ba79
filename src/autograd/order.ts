// The order of similarities beside a teacher's. Native side: ops/order.h.

import {expectShape} from './shapes.js';
import type {Tape, Variable} from './tape.js';

export function orderedPairs(
	tape: Tape,
	{x, t}: {x: Variable; t: Variable},
	margin: number,
): Variable {
	expectShape('orderedPairs', 't', t, x);
	const value = tape.empty(1, 1);
	const slope = x.needsGradient ? tape.empty(x.rows, x.columns) : undefined;
	tape.device.run('orderedPairs', {found: x.tensor, wanted: t.tensor, margin, value, slope});
	return tape.record(value, [
		x,
		dy => tape.compute('combineForward', x, {function: 'multiply', a: dy, b: slope}),
	]);
}
