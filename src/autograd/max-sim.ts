// Scores of texts by the rows of their tokens. Native side: ops/maxsim.h.

import type {ContrastOptions} from './contrast.js';
import {expectWidth, refuse} from './shapes.js';
import type {Tape, Variable} from './tape.js';

export type MaxSimOptions = Pick<
	ContrastOptions,
	'owner' | 'positives' | 'own' | 'others' | 'ownHard' | 'otherHard'
> & {
	/** Where the rows of each query, and of each document, begin, and at the end where all end. */
	queryOffsets: Int32Array;
	documentOffsets: Int32Array;
};

export function maxSim(
	tape: Tape,
	queries: Variable,
	documents: Variable,
	{queryOffsets, documentOffsets, owner, ...met}: MaxSimOptions,
): Variable {
	expectWidth('maxSim', 'documents', documents, queries.columns);
	expectOffsets('the queries', queryOffsets, queries);
	expectOffsets('the documents', documentOffsets, documents);
	const count = documentOffsets.length - 1;
	if (owner.length !== count) refuse('maxSim', `owner of ${count} numbers`, owner.length);
	const operands = {
		queries: queries.tensor,
		queryOffsets: tape.indices(queryOffsets),
		documents: documents.tensor,
		documentOffsets: tape.indices(documentOffsets),
	};
	const needsGradient = queries.needsGradient || documents.needsGradient;
	const argmax = needsGradient
		? tape.own(tape.device.tensor(count, queries.rows, 'i32'))
		: undefined;
	const scores = tape.empty(queryOffsets.length - 1, count);
	const forward = {...operands, ...met, owner: tape.indices(owner), scores, argmax};
	tape.device.run('maxSimForward', forward);
	const given = {...operands, argmax};
	return tape.record(
		scores,
		[queries, dscores => tape.compute('maxSimBackward', queries, {...given, dscores}, 'dqueries')],
		[
			documents,
			dscores => tape.compute('maxSimBackward', documents, {...given, dscores}, 'ddocuments'),
		],
	);
}

function expectOffsets(where: string, offsets: Int32Array, {rows}: Variable): void {
	const rises = offsets.every((offset, n) => n === 0 || offset >= offsets[n - 1]!);
	if (rises && offsets[0] === 0 && offsets.at(-1) === rows) return;
	refuse('maxSim', `offsets of ${where} that rise from 0 to ${rows}`, [...offsets].join(', '));
}
