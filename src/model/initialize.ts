// Weights that no file gives: random numbers that are a function of the seed, the tensor's name and the
// place in it. Transformers begin as transformers has them begin, a Dense as torch's Linear does.

import {cutNormal, fraction, keyOf, normal} from '../draws.js';
import type {NativeModel} from '../native.js';
import {giveTurn} from '../pace.js';
import type {Family, FamilyConfig, ModelSpec} from './spec.js';
import {type MappedTensor, stacksOf} from './weights.js';

type Parameter = ReturnType<NativeModel['parameters']>[number];

/** How the elements of a tensor begin. */
export type Start =
	| {kind: 'value'; value: number}
	/** Between ± reach. */
	| {kind: 'uniform'; reach: number}
	/** Around 0; what lies beyond `cut` deviations is drawn again, and one row may be zeros. */
	| {kind: 'normal'; deviation: number; cut?: number | undefined; zeroRow?: number | undefined};

export type StartRule = (tensor: MappedTensor, parameter: Parameter) => Start;

/** What begins anew: parameters and the tensors that a saved model has for them. */
export type NewModule = {
	family: Family;
	/** What comes before the names of its parameters in the whole model. */
	prefix: string;
	parameters: readonly Parameter[];
	rule: StartRule;
};

/** Fills the parameters of a module; returns the tensors that they are saved as. */
export async function initialize(
	core: NativeModel,
	{family, prefix, parameters, rule}: NewModule,
	{spec, seed}: {spec: ModelSpec; seed: number},
): Promise<MappedTensor[]> {
	const mapped: MappedTensor[] = [];
	for (const parameter of parameters) {
		for (const tensor of tensorsOf(family, parameter, spec)) {
			const start = rule(tensor, parameter);
			const file = family.savedAs?.(tensor.file) ?? tensor.file;
			const placed = {...tensor, file, parameter: prefix + tensor.parameter};
			const key = keyOf(seed, `${parameter.name}/${file}`);
			await fill(core, placed, parameter, {start, key});
			mapped.push(placed);
		}
	}
	return mapped;
}

/** The tensors that make a parameter, by their first names. */
function tensorsOf(family: Family, parameter: Parameter, spec: ModelSpec): MappedTensor[] {
	const {name, rows, columns} = parameter;
	const files = stackOf(family, name, spec);
	const isMatrix = rows > 1 || parameter.decay;
	const extents = partsOf(name, {spec, whole: isMatrix ? rows : columns, count: files.length});
	let at = 0;
	return files.map((file, n) => {
		const shape = isMatrix ? [extents[n]!, columns] : [extents[n]!];
		const count = shape.reduce((product, extent) => product * extent, 1);
		at += count;
		return {file, shape, parameter: name, at: at - count, count};
	});
}

/** Of the stacks that a family knows the first; of a gated layer one that names its halves, if there is one. */
function stackOf(family: Family, name: string, {blocks}: ModelSpec): string[] {
	const stacks = stacksOf(family, name);
	const isGated = name.includes('.mlp.up.') && blocks.some(({mlp}) => mlp.gate !== 'none');
	return (isGated && stacks.find(({length}) => length === 2)) || stacks[0]!;
}

type Stacked = {spec: ModelSpec; whole: number; count: number};

/** Rows of each tensor of a stack: queries, keys and values, or equal parts. */
function partsOf(name: string, {spec, whole, count}: Stacked): number[] {
	if (count !== 3) return Array.from({length: count}, () => whole / count);
	const weights = Number(/^blocks\.(\d+)\./.exec(name)?.[1]);
	const {heads, keyHeads, headWidth} = spec.blocks.find(
		block => block.weights === weights,
	)!.attention;
	return [heads * headWidth, keyHeads * headWidth, keyHeads * headWidth];
}

/** Elements that are written in one go. */
const pieceSize = 2 ** 14;

async function fill(
	core: NativeModel,
	tensor: MappedTensor,
	{rows, columns}: Parameter,
	{start, key}: {start: Start; key: number},
): Promise<void> {
	const {parameter, at, count} = tensor;
	if (rows === 1 && count < columns) {
		return fillPartOfRow(core, tensor, columns, {start, key});
	}
	const step = Math.max(1, Math.floor(pieceSize / columns));
	for (let row = 0; row < count / columns; row += step) {
		const values = new Float32Array(Math.min(step * columns, count - row * columns));
		for (let n = 0; n < values.length; n++) {
			values[n] = valueAt(start, key, row * columns + n, columns);
		}
		core.write('weight', parameter, at / columns + row, values);
		await giveTurn();
	}
}

/** Biases of several tensors lie in one row, which is written whole. */
async function fillPartOfRow(
	core: NativeModel,
	{parameter, at, count}: MappedTensor,
	columns: number,
	{start, key}: {start: Start; key: number},
): Promise<void> {
	const values = new Float32Array(columns);
	await core.read('weight', parameter, 0, values);
	for (let n = 0; n < count; n++) values[at + n] = valueAt(start, key, n, count);
	core.write('weight', parameter, 0, values);
}

function valueAt(start: Start, key: number, index: number, columns: number): number {
	if (start.kind === 'value') return start.value;
	if (start.kind === 'uniform') return start.reach * (2 * fraction(key, index) - 1);
	if (start.zeroRow !== undefined && Math.floor(index / columns) === start.zeroRow) return 0;
	const {deviation, cut} = start;
	return deviation * (cut === undefined ? normal(key, index) : cutNormal(key, index, cut));
}

/** Torch's Linear: weights and bias between ± 1 / √inputs. A norm behind it begins as the identity. */
export function linearStart(inputs: number): StartRule {
	const reach = 1 / Math.sqrt(inputs);
	return ({file}) => {
		if (file.startsWith('norm.')) return {kind: 'value', value: file.endsWith('bias') ? 0 : 1};
		return {kind: 'uniform', reach};
	};
}

/**
As transformers has it: matrices of normal numbers (the family says of which deviation where it is not
`initializer_range`, and then without a row of zeros), biases 0, norms 1, the row of the padding token 0.
*/
export function familyStart(family: Family, config: FamilyConfig, spec: ModelSpec): StartRule {
	const plain = {deviation: config.number('initializer_range', 0.02)};
	const own = family.starts?.(config);
	const {padding, positionOffset} = spec.embedding;
	const said = config.size('pad_token_id', {otherwise: padding ?? -1, least: -1});
	const zeroRows: Readonly<Record<string, number | undefined>> = {
		'embedding.tokens': said < 0 ? undefined : said,
		'embedding.positions': padding === undefined ? undefined : positionOffset - 1,
	};
	return ({file, shape, parameter}, {decay}) => {
		if (shape.length === 2 || decay) {
			if (own) return {kind: 'normal', ...own(file)};
			return {kind: 'normal', ...plain, zeroRow: zeroRows[parameter]};
		}
		const one = 1 - (spec.finalNorm?.offset ?? 0);
		return {kind: 'value', value: file.endsWith('bias') ? 0 : one};
	};
}
