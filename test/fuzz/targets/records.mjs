// A data file of any format: JSON lines, one JSON array, CSV or TSV, told apart by content. The rows must
// not depend on where the pieces of the file are cut.

import {recognise} from '../../../dist/files/records.js';
import {memoryFile} from '../memory-file.mjs';
import {expectRefusal, hold, place} from '../property.mjs';

const codes = ['FILE_FORMAT', 'FILE_EMPTY', 'DATA_ROW'];

export async function run(input) {
	const bytes = input.subarray(1);
	const size = Math.max(1 + (input[0] ?? 0), Math.ceil(bytes.length / 16));
	const [whole, pieces] = [await rowsOf(bytes, bytes.length + 1), await rowsOf(bytes, size)];
	// Which of two bad places is met first may: rows are cut in batches, then parsed.
	hold(whole.isRefused === pieces.isRefused, 'a refusal does not depend on the size of the pieces');
	pieces.rows.forEach((row, index) => {
		const other = whole.rows[index];
		hold(other === undefined || other.text === row.text, 'a row does not depend on the pieces');
		hold(row.where.startsWith(place), 'a row says where it stands');
		const text = bytes.toString('utf8', row.offset, row.offset + row.length);
		hold(text === row.text, 'offset and length are those of the row');
	});
}

async function rowsOf(bytes, size) {
	const rows = [];
	try {
		const {slices, parse} = await recognise(memoryFile(bytes), place);
		for await (const batch of slices({size})) {
			rows.push(...batch);
			for (const {text, where} of batch) parse(text, where);
		}
	} catch (error) {
		expectRefusal(error, codes);
		return {rows, isRefused: true};
	}
	return {rows, isRefused: false};
}

export const json = {
	text: bytes => bytes.toString('utf8', 1),
	bytes: (text, bytes) => Buffer.concat([bytes.subarray(0, 1), Buffer.from(text)]),
};

export const longest = 1024;

export const words = [
	'"',
	'""',
	'\t',
	',',
	'\r\n',
	'\n',
	'[',
	']',
	'{',
	'}',
	'\\"',
	'query\tpositive\n',
	'a,b\n',
];

export const seeds = [
	'\x00[{"query":"a","pos":["b"]},\n {"x":[1,{"y":"]}"}]}, [1,2] ]\n',
	'\x02query,positive\na,"b, ""c""\nd"\r\n\ne,f\n',
	'\x07anchor\tpositive\nsay "hi"\t5" disk\n"a ""b"" c"\td\n',
	'\x01{"query":"a"}\n["b","c"]\n',
	'\x20\ufeff[["a","b"],["c","d"]]',
	'\x05plain text\n',
	'\x05"a","b"\n"1\n2","3"\n',
];
