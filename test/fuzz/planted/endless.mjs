// An input that never ends.

export function run(bytes) {
	if (bytes.toString('latin1').includes('hang')) for (;;);
}

export const seeds = ['{"a":1}'];
