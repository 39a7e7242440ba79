// Vectors end to end, {data, width}, and what is computed of them.

export function dot(a, b) {
	let sum = 0;
	for (let n = 0; n < a.length; n++) sum += a[n] * b[n];
	return sum;
}

export const rowOf = ({data, width}, row) => data.subarray(row * width, (row + 1) * width);

/** The rows of these numbers, end to end. */
export function rowsOf(vectors, rows) {
	const chosen = new Float32Array(rows.length * vectors.width);
	rows.forEach((row, n) => {
		chosen.set(rowOf(vectors, row), n * vectors.width);
	});
	return chosen;
}
