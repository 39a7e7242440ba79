// A file of training records, one JSON value a line. The lines must not depend on where the pieces of
// the file are cut; the first byte of an input says how long the pieces are.

import {parseRecord} from '../../../dist/data/record.js';
import {readLines} from '../../../dist/files/lines.js';
import {parseJson} from '../../../dist/files/records.js';
import {memoryFile} from '../memory-file.mjs';
import {expectRefusal, hold, place} from '../property.mjs';

const codes = ['FILE_FORMAT', 'DATA_ROW'];

export async function run(input) {
	const bytes = input.subarray(1);
	const size = Math.max(1 + (input[0] ?? 0), Math.ceil(bytes.length / 16));
	const [whole, pieces] = [await linesOf(bytes, bytes.length + 1), await linesOf(bytes, size)];
	hold(whole.refusal === pieces.refusal, 'a refusal does not depend on the size of the pieces');
	hold(whole.lines.length >= pieces.lines.length || whole.refusal, 'the lines are the same');
	pieces.lines.forEach((line, index) => {
		const other = whole.lines[index];
		hold(other === undefined || other.text === line.text, 'a line does not depend on the pieces');
		const text = bytes.toString('utf8', line.offset, line.offset + line.length);
		hold(text === line.text, 'offset and length are those of the text');
		hold(line.number === index + 1, 'lines are counted');
		readRecord(line);
	});
}

async function linesOf(bytes, size) {
	const lines = [];
	try {
		for await (const batch of readLines(memoryFile(bytes), {name: place, size}))
			lines.push(...batch);
	} catch (error) {
		expectRefusal(error, codes);
		return {lines, refusal: error.message};
	}
	return {lines};
}

function readRecord({text, number}) {
	if (text.trim() === '') return;
	const where = `${place}:${number}`;
	try {
		const {record} = parseRecord(parseJson(text, where), where);
		const texts = [record.query, ...record.positives, ...record.negatives];
		hold(
			texts.every(one => typeof one === 'string' && one.trim() !== ''),
			'texts are not empty',
		);
		hold(record.positives.length > 0, 'there is a positive');
		hold((record.positiveIds ?? record.positives).length === record.positives.length, 'ids fit');
		const scores = [...(record.positiveScores ?? []), ...(record.negativeScores ?? [])];
		hold(scores.every(Number.isFinite), 'scores are finite');
	} catch (error) {
		expectRefusal(error, codes);
	}
}

/** One line of an input is changed as JSON. */
export const json = {
	text: bytes => bytes.toString('utf8', 1).split('\n')[0],
	bytes(text, bytes) {
		const rest = bytes.indexOf(10);
		return Buffer.concat([
			bytes.subarray(0, 1),
			Buffer.from(text),
			rest < 0 ? Buffer.alloc(0) : bytes.subarray(rest),
		]);
	},
};

export const longest = 1024;

export const words = [
	'\r\n',
	'\n',
	'\ufeff',
	'\u2028',
	'{"query":"a","pos":["b"]}',
	'[1]',
	'neg_1',
	'title',
];

export const seeds = [
	'\x00{"query":"a","pos":["b","c"],"neg":["d"]}\n{"anchor":"x","positive":"y","negative_1":"z"}\n',
	'\x03["a","b",0.5]\r\n\n["a","b","c"]',
	'\x10\ufeff{"query":"é","pos":[{"title":"t","text":"u"}],"pos_scores":[1],"query_id":7,"label":"no"}',
	'\xff{"sentence1":"a","sentence2":"b","score":"0.5","doc_ids":["1"],"other":null}\n',
];
