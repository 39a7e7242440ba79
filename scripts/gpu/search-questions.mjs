// The rows of the table that search a corpus.

import {running} from './questions.mjs';

export function searchQuestions(made, isTrial) {
	const shape = isTrial ? {width: 16, queries: 4, k: 5} : {width: 768, queries: 256, k: 10};
	const [few, many] = isTrial ? [128, 256] : [2_000_000, 10_000_000];
	const {width, queries} = shape;
	return [
		search(made, {...shape, rows: few, type: 'f32'}, {bytes: 4 * few * width}),
		search(
			made,
			{...shape, rows: many, type: 'bf16'},
			{
				goal: '0.85 of the copy',
				bytes: 2 * many * width,
				flops: 2 * many * width * queries,
			},
		),
	];
}

function search({native, random}, {rows, width, queries, k, type}, work) {
	return {
		...work,
		title: `top ${k} of ${rows} x ${width}, ${queries} queries, ${type}`,
		peer: {kind: 'search', rows, width, queries, k, type},
		make: () => {
			const [scores, ids] = [native.tensor(queries, k, 'f32'), native.tensor(queries, k, 'i32')];
			const none = new Float32Array(queries * k).fill(Number.NEGATIVE_INFINITY);
			const nowhere = new Int32Array(queries * k).fill(-1);
			const corpus = distinctRows(native, {rows, width, type});
			const fields = {queries: random(queries, width, type), corpus, base: 0, scores, ids};
			const {run, dispose} = running(native, 'topK', fields);
			return {
				dispose,
				// From nothing each time: what was found before is a limit that few scores pass.
				run: () => {
					native.write(scores, none);
					native.write(ids, nowhere);
					run();
				},
			};
		},
	};
}

/** Random rows, no two alike: equal scores are not what a search meets. */
function distinctRows(native, {rows, width, type}) {
	const pieces = 16;
	const each = Math.floor(2 ** 20 / width);
	const floats = Float32Array.from({length: (pieces + 1) * 2 ** 20}, () => Math.random() * 2 - 1);
	const words = new Uint32Array(floats.buffer);
	const values = type === 'f32' ? floats : Uint16Array.from(words, bits => bits >>> 16);
	const tensor = native.tensor(rows, width, type);
	for (let row = 0, n = 0; row < rows; row += each, n++) {
		// Once around, the rows are read one value later.
		const begin = (n % pieces) * each * width + Math.floor(n / pieces);
		const count = Math.min(each, rows - row);
		const slice = tensor.slice(row, count);
		native.write(slice, values.subarray(begin, begin + count * width));
		slice.dispose();
	}
	return tensor;
}
