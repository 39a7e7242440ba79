// How often a query's own positive scores highest of all that its loss lets it meet, in a batch.

import {operationsOf} from '../autograd/operations.js';
import type {Tape} from '../autograd/tape.js';
import {type Column, type Loss, type LossInputs, textsOf} from '../loss/loss.js';
import {rowsOfSets} from '../loss/loss-for.js';
import {metBy, needsOfSet} from '../loss/needs.js';
import {optionOf} from '../loss/parts.js';
import {someRows} from '../loss/some-rows.js';
import {type Hardest, hardestOf} from './rivals.js';

/**
1 or 0 for each query; one that meets nothing has none, nor have those of a loss that compares no texts.
Rows of a data set with a loss of its own meet each other alone.
*/
export async function hitsIn(
	tape: Tape,
	loss: Loss,
	inputs: Pick<LossInputs, 'columns' | 'sets'>,
): Promise<number[]> {
	const {columns} = inputs;
	const {needs} = loss;
	if (!needs?.sets) return hitsOf(tape, columns, loss);
	const hits: number[] = [];
	const all = {columns, parameters: {}};
	for (const [set, rows] of rowsOfSets(inputs, textsOf(columns[0]!))) {
		const part = someRows(operationsOf(tape), all, rows);
		const own = {needs: needsOfSet(needs, set), options: optionsOfSet(loss, set)};
		for (const hit of await hitsOf(tape, part.columns, own)) hits.push(hit);
	}
	return hits;
}

type Judged = Pick<Loss, 'needs' | 'options'>;

/** What the loss of a data set was made with. */
function optionsOfSet({options}: Loss, set: string): NonNullable<Loss['options']> {
	const of = options?.['of'] as Readonly<Record<string, NonNullable<Loss['options']>>>;
	return of[set] ?? of['otherwise'] ?? {};
}

async function hitsOf(tape: Tape, columns: readonly Column[], loss: Judged): Promise<number[]> {
	const cosine = optionOf(loss, 'similarity') !== 'dot';
	const hardest = await hardestOf(tape, columns, {meets: metBy(loss.needs), cosine});
	const positive = columns[1];
	if (!hardest || !positive) return [];
	return hitsAmong(hardest, positive.offsets ?? everyOne(textsOf(positive)));
}

const everyOne = (count: number) => Int32Array.from({length: count + 1}, (_, n) => n);

/** 1 where one of a query's own positives scores above all else that it meets. */
function hitsAmong({pairs, own}: Hardest, offsets: Int32Array): number[] {
	const hits: number[] = [];
	for (let row = 0; row + 1 < offsets.length; row++) {
		if (pairs[2 * row]! < 0) continue;
		const scores = own.subarray(offsets[row], offsets[row + 1]);
		hits.push(scores.some(score => score > pairs[2 * row + 1]!) ? 1 : 0);
	}
	return hits;
}
