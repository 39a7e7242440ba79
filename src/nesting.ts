// How deep a JSON value is nested. Parsing any depth is safe; walking a value by recursion is not, and
// neither is writing it into a message.

/** Deeper than any file means to be. */
export const deepestNesting = 100;

/** Whether arrays and objects lie inside each other more than `deepestNesting` times. */
export function isNestedTooDeeply(value: unknown): boolean {
	let level = [value];
	for (let depth = 0; level.length > 0; depth++) {
		if (depth > deepestNesting) return true;
		level = level.flatMap(one =>
			typeof one === 'object' && one !== null ? Object.values(one) : [],
		);
	}

	return false;
}
