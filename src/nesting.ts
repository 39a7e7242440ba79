// How deep a JSON value is nested. Parsing a depth of thousands is safe; walking a value by recursion is not, and
// neither is writing it into a message. Of millions even the parser is busy for minutes.

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

const deepestText = 2 ** 20;

/** JSON.parse, but a text of ever more open brackets is refused before it is parsed, as a SyntaxError. */
export function parseJsonText(text: string): unknown {
	let depth = 0;
	let isString = false;
	for (let at = 0; at < text.length && depth <= deepestText; at++) {
		const character = text[at]!;
		if (character === '"') isString = !isString;
		else if (!isString) depth += steps[character] ?? 0;
		else if (character === '\\') at++;
	}

	if (depth > deepestText) throw new SyntaxError(`more than ${deepestText} levels of nesting`);
	return JSON.parse(text);
}

const steps: {readonly [character: string]: number} = {'[': 1, '{': 1, ']': -1, '}': -1};
