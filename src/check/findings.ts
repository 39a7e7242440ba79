// What a check of data finds: every kind of fault counted whole, the first of each kept to show.

/** `error`: training refuses it, or its evaluation proves nothing; `warning`: it harms; `note`: worth knowing. */
export type Severity = 'error' | 'warning' | 'note';

/** Every kind of finding: how bad it is, and what is wrong. */
const kinds = {
	'broken-line': ['error', 'lines that are no records'],
	'empty-text': ['error', 'records with an empty text'],
	'unreadable-file': ['error', 'files that cannot be read to their end'],
	'no-records': ['error', 'nothing to train on'],
	'missing-field': ['error', 'fields of the map that no record has'],
	shortage: ['error', 'records of too few negatives'],
	'evaluation-query': ['error', 'records whose query is one of an evaluation set'],
	'evaluation-pair': ['error', 'records that are a pair of an evaluation set'],
	'own-negative': ['warning', 'records whose positive is one of their negatives'],
	'query-is-positive': ['warning', 'records whose query is its own positive'],
	'repeated-negative': ['warning', 'records that name a negative twice'],
	'repeated-record': ['warning', 'pairs of query and positive that were there before'],
	'conflicting-pair': ['warning', 'negatives that are positives of the same query elsewhere'],
	'near-query': ['warning', 'queries nearly as another one'],
	'near-document': ['warning', 'documents nearly as another one'],
	'near-evaluation-query': ['warning', 'queries nearly as one of an evaluation set'],
	'cut-text': ['warning', 'texts longer than the maximum, which are cut'],
	'lost-text': ['warning', 'texts of garbage: no letters, broken encoding, control characters'],
	'other-script': ['warning', 'records whose query and positive are in different scripts'],
	'better-negative': ['warning', 'negatives that score as high as their positive'],
	'suspected-negative': ['warning', 'other documents that the model finds as near as the positive'],
	'equal-scores': ['warning', 'records whose scores are all the same'],
	'rare-label': ['warning', 'labels of a single record'],
	'dropped-row': ['warning', 'rows that training leaves out'],
	'two-texts': ['warning', 'files in which an id stands for several texts'],
	'repeated-query': ['note', 'records whose query was there before'],
	'repeated-document': ['note', 'documents that were there before'],
	'evaluation-document': ['note', 'positives that are relevant documents of an evaluation set'],
	markup: ['note', 'texts with tags of HTML'],
	'not-compared': ['note', 'texts not looked at for nearly the same ones, for there are too many'],
	'file-note': ['note', 'remarks on files'],
} as const satisfies Record<string, readonly [Severity, string]>;

export type FindingKind = keyof typeof kinds;

export interface Example {
	/** `path:line`. */
	where: string;
	file?: string;
	line?: number;
	/** What was found there, shortened. */
	text?: string;
	field?: string;
	expected?: string;
	got?: string;
}

export interface Finding {
	kind: FindingKind;
	severity: Severity;
	/** What is wrong, in words. */
	what: string;
	count: number;
	examples: Example[];
}

const longestText = 160;

export class Findings {
	readonly #found = new Map<FindingKind, Finding>();
	readonly #most: number;

	/** Keeps up to `most` examples of each kind. */
	constructor(most: number) {
		this.#most = most;
	}

	/** Counts one; `example` is made only where it is kept. */
	add(kind: FindingKind, example: () => Example): void {
		const finding = this.#of(kind);
		finding.count++;
		if (finding.examples.length < this.#most) finding.examples.push(example());
	}

	/** Counts many at once, some of which are shown. */
	addAll(kind: FindingKind, count: number, examples: readonly Example[]): void {
		if (count === 0) return;
		const finding = this.#of(kind);
		finding.count += count;
		finding.examples.push(...examples.slice(0, this.#most - finding.examples.length));
	}

	count(kind: FindingKind): number {
		return this.#found.get(kind)?.count ?? 0;
	}

	/** All of them, the worst first, then in the order of the table above. */
	list(): Finding[] {
		const order = Object.keys(kinds);
		const found = [...this.#found.values()];
		return found.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
	}

	#of(kind: FindingKind): Finding {
		const known = this.#found.get(kind);
		if (known !== undefined) return known;
		const [severity, what] = kinds[kind];
		const finding: Finding = {kind, severity, what, count: 0, examples: []};
		this.#found.set(kind, finding);
		return finding;
	}
}

/** A text as an example shows it: one line, its end left out where it is long. */
export function shown(text: string): string {
	const line = text.slice(0, longestText).replaceAll(/\s+/g, ' ');
	return text.length > longestText ? `${line}…` : line;
}

/** The place of a record, taken apart: `path:line` and `path:line: element 3`. */
export function placeOf(where: string): Pick<Example, 'where' | 'file' | 'line'> {
	const [, file, line] = /^(.+?):(\d+)(?=:|$)/s.exec(where) ?? [];
	return file === undefined ? {where} : {where, file, line: Number(line)};
}
