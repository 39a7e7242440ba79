// The loss of a distillation, on the tape: a student's vectors are to lie where the teacher's lie, to
// be as near to one another, and to rank one another alike; questions are to find their paragraphs.

import {rowsOf} from './vectors.mjs';

/**
The sum, by `weights`, of four means over the texts of a batch:

- `near`: 1 − cosine(student, teacher);
- `apart`: (the student's cosine − the teacher's)², over all pairs of texts;
- `order`: cross-entropy of the teacher's softmax over all other texts, of cosines by `temperature`;
- `found`: of each question whose paragraph is in the batch, that of it among the batch's paragraphs.

The label of a row is the number of its pair, {query, positive, paragraph}, whose texts are numbers of
the rows of `teacher`, unit vectors.
*/
export function distil({teacher, pairs, weights, temperature}) {
	return (ops, {columns: [query, positive], labels}) => {
		const own = Array.from(labels, label => pairs[label]);
		const texts = [...own.map(pair => pair.query), ...own.map(pair => pair.positive)];
		const student = ops.normalizeRows(ops.concatRows([query, positive]));
		const target = ops.constant(rowsOf(teacher, texts), texts.length, teacher.width);
		const [is, shall] = [student, target].map(x => ops.products(x, x));
		const parts = {
			near: ops.addScalar(ops.scale(ops.mean(ops.rowDots(student, target)), -1), 1),
			apart: ops.mean(ops.square(ops.subtract(is, shall))),
			order: ranksAlike(ops, {is, shall, temperature, count: texts.length}),
		};
		const asked = own.flatMap(({paragraph}, row) => {
			const place = own.findIndex(pair => pair.positive === paragraph);
			return paragraph === undefined || place === -1 ? [] : [{row, place}];
		});
		if (weights.found > 0 && asked.length > 0) {
			parts.found = findOwn(ops, {student, asked, rows: own.length, temperature});
		}

		return weightedSum(ops, parts, weights);
	};
}

/** Mean over the rows of the cross-entropy of two softmaxes, the text itself left out. */
function ranksAlike(ops, {is, shall, temperature, count}) {
	const others = new Float32Array(count * count);
	for (let n = 0; n < count; n++) others[n * (count + 1)] = -1000;
	const own = ops.constant(others, count, count);
	const logits = x => ops.add(ops.scale(x, 1 / temperature), own);
	const each = ops.multiply(ops.softmaxRows(logits(shall)), ops.logSoftmaxRows(logits(is)));
	return ops.scale(ops.sum(each), -1 / count);
}

/** Cross-entropy of questions, by their rows, over the paragraphs of the batch, by their places. */
function findOwn(ops, {student, asked, rows, temperature}) {
	const places = [...new Set(asked.map(({place}) => place))];
	const questions = ops.gatherRows(
		student,
		asked.map(({row}) => row),
	);
	const paragraphs = ops.gatherRows(
		student,
		places.map(place => rows + place),
	);
	return ops.crossEntropy(
		ops.scale(ops.products(questions, paragraphs), 1 / temperature),
		asked.map(({place}) => places.indexOf(place)),
	);
}

function weightedSum(ops, parts, weights) {
	const terms = Object.entries(parts).map(([name, value]) => {
		ops.report(name, value);
		return ops.scale(value, weights[name]);
	});
	return terms.reduce((sum, term) => ops.add(sum, term));
}
