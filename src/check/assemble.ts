// The report put together from what the parts of a check found.

import type {SetLeakage} from './contamination.js';
import type {Finding, Findings, Severity} from './findings.js';
import type {CheckSettings} from './options.js';
import type {Role} from './record-checks.js';
import type {Repeated} from './repeated.js';
import type {CheckReport, LengthFacts, MinedFacts} from './report.js';
import type {Scanned} from './scan.js';
import type {TokenLengths} from './tokens.js';

export interface Examined {
	settings: CheckSettings;
	findings: Findings;
	scanned: Scanned;
	repeated: Repeated;
	rows: Pick<CheckReport, 'rows' | 'droppedRows' | 'batches'>;
	tokens: TokenLengths | undefined;
	mined: MinedFacts | null;
	evaluation: SetLeakage[];
}

/** Puts together what was found. */
export function assemble(examined: Examined): CheckReport {
	const {settings, findings, scanned, repeated, rows, mined, evaluation} = examined;
	const {checks, bad, files, rule} = scanned;
	const list = findings.list();
	const errors = countOf(list, 'error');
	const warnings = countOf(list, 'warning');
	return {
		ok: errors === 0 && (warnings === 0 || !settings.strict),
		...{errors, warnings, files: [...files], kind: rule.kind, records: checks.records},
		...{brokenLines: bad.count, brokenByField: Object.fromEntries(bad.byField)},
		...{positives: checks.positives.sum, negatives: checks.negatives.sum},
		positivesPerRecord: checks.positives.histogram(),
		negativesPerRecord: checks.negatives.histogram(),
		...rows,
		distinctQueries: repeated.queries.distinct,
		distinctDocuments: repeated.documents.distinct,
		repeatedQueries: repeated.queries.repeated,
		repeatedDocuments: repeated.documents.repeated,
		repeatedPairs: repeated.pairs.repeated,
		nearQueries: findings.count('near-query'),
		nearDocuments: findings.count('near-document'),
		lengths: {query: lengthsOf('query', examined), document: lengthsOf('document', examined)},
		...{scripts: checks.scripts.counts(), languages: checks.languages.counts()},
		scores: scoresOf(scanned),
		...{labels: checks.labels.counts(shownLabels), tasks: checks.tasks.counts()},
		...{prompts: checks.prompts.counts(), evaluation, mined, findings: list},
	};
}

/** Labels that a report counts apart. */
const shownLabels = 100;

function countOf(findings: readonly Finding[], severity: Severity): number {
	return findings.reduce((sum, each) => sum + (each.severity === severity ? each.count : 0), 0);
}

function lengthsOf(role: Role, {scanned, tokens: counted}: Examined): LengthFacts {
	const {characters, words} = scanned.checks.lengths[role];
	const plain = {characters: characters.spread() ?? null, words: words.spread() ?? null};
	if (counted === undefined) return plain;
	const tokens = counted.tokens[role];
	const maxLength = counted.maxLength[role];
	const truncated = tokens.above(maxLength);
	const truncatedShare = truncated / Math.max(1, tokens.count);
	return {...plain, tokens: tokens.spread() ?? null, maxLength, truncated, truncatedShare};
}

function scoresOf({checks}: Scanned): CheckReport['scores'] {
	const facts = Object.entries(checks.scores).map(
		([name, range]) => [name, range.facts()] as const,
	);
	return Object.fromEntries(facts.filter(([, found]) => found !== undefined));
}
