// The report of a check, as --json prints it.

import type {SetLeakage} from './contamination.js';
import type {Finding} from './findings.js';
import type {Range, Spread} from './tallies.js';

export interface FileFacts {
	name: string;
	path: string;
	bytes: number;
	/** Null for a file that could not be read to its end. */
	sha256: string | null;
	records: number;
	brokenLines: number;
}

/** Lengths of the texts of one role. */
export interface LengthFacts {
	characters: Spread | null;
	words: Spread | null;
	/** With special tokens and prompt; only where a model was given. */
	tokens?: Spread | null;
	/** The longest that training takes, in tokens, and how many are longer. */
	maxLength?: number;
	truncated?: number;
	truncatedShare?: number;
}

/** What a model finds among some of the rows. */
export interface MinedFacts {
	/** Rows looked at, and documents that each query met. */
	queries: number;
	documents: number;
	/** Queries that find a document of others, or a negative of their own, as near as their positive. */
	queriesWithSuspects: number;
	/** Share of all pairs of a query and a document of another that are such. */
	suspectShare: number;
	/** Share of queries for which no document comes before the positive. */
	accuracy: number;
}

type Numbers = Exclude<ReturnType<Range['facts']>, undefined>;

export interface CheckReport {
	ok: boolean;
	errors: number;
	warnings: number;
	files: FileFacts[];
	/** What a record is: a query with positives, or a text alone. */
	kind: 'pair' | 'text';
	records: number;
	brokenLines: number;
	/** Broken lines by the field that is wrong; '' where a line is no value at all. */
	brokenByField: Record<string, number>;
	positives: number;
	negatives: number;
	/** Records by how many positives and negatives they have. */
	positivesPerRecord: Record<string, number>;
	negativesPerRecord: Record<string, number>;
	/** Rows of an epoch, those left out, and batches; null where data contradict the options. */
	rows: number | null;
	droppedRows: number | null;
	batches: number | null;
	distinctQueries: number;
	distinctDocuments: number;
	repeatedQueries: number;
	repeatedDocuments: number;
	repeatedPairs: number;
	nearQueries: number;
	nearDocuments: number;
	lengths: {query: LengthFacts; document: LengthFacts};
	/** Texts by script and by language. */
	scripts: Record<string, number>;
	languages: Record<string, number>;
	scores: {positive?: Numbers; negative?: Numbers; score?: Numbers};
	/** Records by label, the most frequent first. */
	labels: Record<string, number>;
	tasks: Record<string, number>;
	prompts: Record<string, number>;
	evaluation: SetLeakage[];
	mined: MinedFacts | null;
	findings: Finding[];
}
