// An input that takes all memory.

export function run(bytes) {
	if (!bytes.toString('latin1').includes('eat')) return;
	for (const eaten = []; ; ) eaten.push(Buffer.alloc(2 ** 27, 1));
}

export const seeds = ['{"a":1}'];
