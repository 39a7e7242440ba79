// A mistake behind three branches.

export function run(bytes) {
	if (bytes[0] !== 0x7b || bytes.length < 7) return;
	if (bytes[3] !== 0x42) return;
	if (bytes.toString('latin1').includes('planted')) throw new RangeError('the maze has an end');
}

export const seeds = ['{"a":1}'];
