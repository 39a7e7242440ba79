// What do nested widths and masks add to the in-batch loss, forward and backward? Times are those of the
// processor, which other programs lengthen least; best read with one thread.

import {Tape} from '../dist/autograd/tape.js';
import {infoNce} from '../dist/loss/infonce.js';
import {applyLoss} from '../dist/loss/loss.js';
import {matryoshka} from '../dist/loss/matryoshka.js';
import {device, rounds} from './rounds.mjs';

const width = 384;
const widths = [384, 256, 128, 64, 32];
const listed = ['same-text', 'same-query', 'known'];

export async function measure({threads, seconds}) {
	const computing = await device(threads);
	await compare(computing, 1024, seconds, {
		'one width': infoNce(),
		'five widths': matryoshka(infoNce(), {widths}),
		'five widths, not renormalised': matryoshka(infoNce({similarity: 'dot', temperature: 20}), {
			widths,
			renormalize: false,
		}),
	});
	await compare(computing, 4096, seconds, {
		'no mask': infoNce(),
		'same text, same query, known': infoNce({mask: listed}),
		'other set': infoNce({mask: ['other-set']}),
		margin: infoNce({mask: ['margin']}),
		'all but other set': infoNce({mask: [...listed, 'margin']}),
	});
}

async function compare(computing, rows, seconds, losses) {
	const {native} = computing;
	const columns = [1, 2].map(seed => vectors(rows, seed));
	const known = knownOf(rows);
	const run = loss => async () => {
		const begun = process.cpuUsage();
		const tape = new Tape(native);
		const given = columns.map(values => {
			const {tensor} = tape.constant(values, {rows, columns: width});
			return tape.variable(tensor);
		});
		tape.backward(applyLoss(tape, loss, {columns: given, known, parameters: {}}));
		await native.synchronize();
		tape.dispose();
		return process.cpuUsage(begun).user / 1e6;
	};
	await rounds({
		candidates: Object.entries(losses).map(([name, loss]) => ({name, run: run(loss)})),
		seconds,
		computing,
		gflop: (10 * rows * rows * width) / 1e9,
		unit: 'batches',
		count: 1,
		title: `in-batch loss of ${rows} rows of ${width}, forward and backward`,
	});
	const megabytes = bytes => (bytes / 2 ** 20).toFixed(0);
	const matrix = megabytes(4 * rows * rows);
	console.log(
		`memory of all tensors ${megabytes(native.statistics().bytes)} MB; a matrix of scores would have ${matrix} MB`,
	);
}

function vectors(rows, seed) {
	const values = new Float32Array(rows * width);
	let state = seed;
	for (let i = 0; i < values.length; i++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		values[i] = ((state >>> 8) % 20001) / 10000 - 1;
	}
	return values;
}

/** Every twentieth text stands twice, and rows are of two sets. */
function knownOf(rows) {
	const distinct = rows - Math.floor(rows / 20);
	const numbers = first => Float64Array.from({length: rows}, (_, row) => first + (row % distinct));
	const [queries, documents] = [numbers(1), numbers(rows + 1)];
	return {
		texts: [queries, documents],
		queries,
		documents: [documents],
		positives: {offsets: Int32Array.from({length: rows + 1}, (_, row) => row), documents},
		sets: Float64Array.from({length: rows}, (_, row) => row % 2),
	};
}
