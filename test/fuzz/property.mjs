// What every reader promises: a result that holds together, or an EngineError with a known code and one
// line that names the place. Anything else is a finding.

import {EngineError, errorCodes} from '../../dist/errors.js';

export class Finding extends Error {
	name = 'Finding';
}

/** The place that targets hand to readers, which every message must name. */
export const place = 'fuzzed.input';

/** Throws a Finding unless a statement about a result holds. */
export function hold(holds, statement) {
	if (!holds) throw new Finding(`a result for which it does not hold that ${statement}`);
}

/** Rethrows what is not the refusal that was promised. `codes` are those that the reader may use. */
export function expectRefusal(error, codes) {
	if (!(error instanceof EngineError)) throw error;
	const {code, message} = error;
	const problem =
		(!Object.hasOwn(errorCodes, code) && `an unknown code ${code}`) ||
		(!codes.includes(code) && `the code ${code}, which is not for this`) ||
		(!message.includes(place) && 'a message that does not name the place') ||
		(/\p{Cc}/u.test(message) && 'a message of more than one line of printable characters') ||
		(message.length > 2100 && 'a message of more than 2100 characters') ||
		(!/expected .*got /s.test(message) && 'a message that does not say what was expected and got');
	if (problem) throw new Finding(`${problem}: ${message}`);
}

/** Runs a reader; returns its result, or undefined after a refusal. */
export function refusing(codes, read) {
	try {
		return read();
	} catch (error) {
		expectRefusal(error, codes);
		return undefined;
	}
}
