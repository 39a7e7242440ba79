// The loss of a distillation, on the tape: a student's vectors are to lie where the teacher's lie,
// and to be as near to one another as the teacher's are.

/**
Mean over texts of 1 − cosine(student, teacher), and `weight` times the mean over all pairs of texts
of the batch of (the student's cosine − the teacher's)². The label of a row is the number of its
pair, `pairs` the numbers of the texts of a pair, `teacher` their unit vectors.
*/
export function distil({teacher, pairs, weight = 10}) {
	return (ops, {columns: [query, positive], labels}) => {
		const texts = [0, 1].flatMap(side => Array.from(labels, label => pairs[label][side]));
		const target = ops.constant(rowsOf(teacher, texts), texts.length, teacher.width);
		const student = ops.normalizeRows(ops.concatRows([query, positive]));
		const near = ops.addScalar(ops.scale(ops.mean(ops.rowDots(student, target)), -1), 1);
		const between = x => ops.products(x, x);
		const apart = ops.square(ops.subtract(between(student), between(target)));
		return ops.add(near, ops.scale(ops.mean(apart), weight));
	};
}

function rowsOf({data, width}, rows) {
	const chosen = new Float32Array(rows.length * width);
	rows.forEach((row, n) => {
		chosen.set(data.subarray(row * width, (row + 1) * width), n * width);
	});
	return chosen;
}
