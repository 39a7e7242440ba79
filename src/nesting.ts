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
	if (text.length > deepestText) expectShallowText(text);
	return JSON.parse(text);
}

const [quote, backslash] = [0x22, 0x5c];
const steps: {readonly [unit: number]: number} = {91: 1, 123: 1, 93: -1, 125: -1};

function expectShallowText(text: string): void {
	let depth = 0;
	let isString = false;
	for (let at = 0; at < text.length; at++) {
		const unit = text.charCodeAt(at);
		if (unit === quote) isString = !isString;
		else if (!isString) depth += steps[unit] ?? 0;
		else if (unit === backslash) at++;
		if (depth > deepestText) {
			throw new SyntaxError(`more than ${deepestText} levels of nesting`);
		}
	}
}
