// Principal components of rows of numbers, by subspace iteration on their covariance; the same rows
// give the same components.

import {dot} from './vectors.mjs';

const rounds = 40;

/** The mean of the rows and their `count` main directions, each a row of `width` numbers. */
export function principal({data, width}, count) {
	const rows = data.length / width;
	const mean = new Float64Array(width);
	data.forEach((value, n) => {
		mean[n % width] += value / rows;
	});
	const matrix = covariance(data, mean);
	const begin = index => Float64Array.from(mean, (_, n) => Math.cos((n + 0.5) * (index + 1)));
	let directions = Array.from({length: count}, (_, index) => begin(index));
	for (let round = 0; round < rounds; round++) {
		directions = orthonormal(directions.map(direction => matrix.map(row => dot(row, direction))));
	}

	return {mean, directions};
}

function covariance(data, mean) {
	const width = mean.length;
	const matrix = Array.from(mean, () => new Float64Array(width));
	const row = new Float64Array(width);
	for (let at = 0; at < data.length; at += width) {
		for (let n = 0; n < width; n++) row[n] = data[at + n] - mean[n];
		for (let i = 0; i < width; i++) {
			for (let j = 0; j < width; j++) matrix[i][j] += row[i] * row[j];
		}
	}

	return matrix;
}

/** Gram and Schmidt, in the order of the rows. */
function orthonormal(rows) {
	const done = [];
	for (const row of rows.map(values => Float64Array.from(values))) {
		for (const other of done) {
			const share = dot(row, other);
			for (let n = 0; n < row.length; n++) row[n] -= share * other[n];
		}

		const length = Math.sqrt(dot(row, row));
		done.push(row.map(value => value / length));
	}

	return done;
}
