// What of a step first was no finite number: embeddings, a part of the loss, or a gradient on its way
// back through the model. Looked for only when something is wrong, so it may read everything.

import type {Tape, Variable} from '../autograd/tape.js';
import {type Column, ownersOf, textsOf} from '../loss/loss.js';
import type {NativeModel, Tensor} from '../native.js';
import {giveTurn} from '../pace.js';
import type {Learned} from './loss-parameters.js';

export type Broken = {
	/** What it is, for a message. */
	part: string;
	/** The rows of the batch that it is of; none: of all. */
	rows: readonly number[];
};

export type Suspected = {
	core: NativeModel;
	tape: Tape;
	columns: readonly Column[];
	learned: Learned;
	loss: {name: string; value: number};
	/** The values of the loss's parts, by name. */
	parts: Readonly<Record<string, number>>;
};

const roles = ['query', 'positive', 'negative'];

/** In the order in which a step computes; nothing where only the norm of finite gradients is not finite. */
export async function brokenPart(step: Suspected): Promise<Broken | undefined> {
	const {core, tape, columns, learned, loss, parts} = step;
	const embedding = await brokenRows(tape, columns, ({tensor}) => tensor);
	if (embedding) return {...embedding, part: `the embedding of ${embedding.part}`};
	const part = Object.entries(parts).find(([, value]) => !Number.isFinite(value))?.[0];
	if (part !== undefined) return {part: `the part ${part} of the loss`, rows: []};
	if (!Number.isFinite(loss.value)) {
		return {part: `the loss ${loss.name || 'custom'} of finite embeddings`, rows: []};
	}
	const gradient = await brokenRows(tape, columns, column => column.gradient);
	if (gradient) {
		return {...gradient, part: `the gradient of the embedding of ${gradient.part}`};
	}
	for (const [name, variable] of Object.entries(learned)) {
		if (await hasFiniteGradient(tape, variable)) continue;
		return {part: `the gradient of ${name}, which the loss learns`, rows: []};
	}
	const parameter = await brokenParameter(core);
	return parameter === undefined
		? undefined
		: {part: `the gradient of the parameter ${parameter}`, rows: []};
}

/** The first column with rows that are not finite, and the rows of the batch that they belong to. */
async function brokenRows(
	tape: Tape,
	columns: readonly Column[],
	of: (column: Column) => Tensor | undefined,
): Promise<Broken | undefined> {
	for (const [n, column] of columns.entries()) {
		const tensor = of(column);
		if (!tensor) continue;
		const values = await tape.read(tape.constant(tensor));
		const owners = ownersOf(column);
		const rows = new Set<number>();
		for (let text = 0; text < textsOf(column); text++) {
			if (text % 64 === 0) await giveTurn();
			const [begin, end] = [placeOf(column, text), placeOf(column, text + 1)];
			const own = values.subarray(begin * tensor.columns, end * tensor.columns);
			if (!own.every(Number.isFinite)) rows.add(owners[text]!);
		}
		if (rows.size > 0) return {part: `the ${roles[n] ?? 'text'}`, rows: [...rows]};
	}
	return undefined;
}

/** The row of a column at which a text begins. */
function placeOf({tokens}: Column, text: number): number {
	return tokens ? tokens[text]! : text;
}

async function hasFiniteGradient(tape: Tape, {gradient}: Variable): Promise<boolean> {
	if (!gradient) return true;
	return (await tape.read(tape.constant(gradient))).every(Number.isFinite);
}

/** Elements that are looked at in one go. */
const pieceSize = 2 ** 18;

/** Backward goes from the head to the embeddings, against the order in which parameters are listed. */
async function brokenParameter(core: NativeModel): Promise<string | undefined> {
	for (const {name, rows, columns, trained} of core.parameters().toReversed()) {
		const most = trained ? Math.max(1, Math.floor(pieceSize / columns)) : rows;
		for (let row = 0; trained && row < rows; row += most) {
			const values = new Float32Array(Math.min(most, rows - row) * columns);
			await core.read('gradient', name, row, values);
			if (!values.every(Number.isFinite)) return name;
		}
	}
	return undefined;
}
