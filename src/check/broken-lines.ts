// Lines that are no records, each taken apart into place, field, what was expected and what was
// found; all are counted, by field too.

import {BadLines} from '../data/bad-lines.js';
import {type Example, type Findings, placeOf} from './findings.js';

/** Names of fields that a report counts apart; a file of endless names must not fill memory. */
const mostFields = 100;

export class BrokenLines extends BadLines {
	/** How many there are of each field; '' for lines that are no values at all. */
	readonly byField = new Map<string, number>();
	readonly #findings: Findings;

	constructor(findings: Findings) {
		super();
		this.#findings = findings;
	}

	override push(message: string): void {
		super.push(message);
		const fault = faultOf(message);
		const name = fault.field?.replace(/\[\d+\]$/, '') ?? '';
		const key = this.byField.has(name) || this.byField.size < mostFields ? name : 'others';
		this.byField.set(key, (this.byField.get(key) ?? 0) + 1);
		const isEmpty = fault.got === 'an empty one' || fault.got === 'an empty array';
		this.#findings.add(isEmpty ? 'empty-text' : 'broken-line', () => fault);
	}
}

/** The parts of a refusal: `where: expected X, got Y; what to do`. */
export function faultOf(message: string): Example {
	const [, where, expected, got] = /^(.*?): expected (.*?), got (.*)$/s.exec(message) ?? [];
	if (where === undefined || expected === undefined || got === undefined) {
		return {where: '', got: message};
	}

	const field = /"([^"]+)"/.exec(expected)?.[1];
	return {...placeOf(where), ...(field !== undefined && {field}), expected, got};
}
