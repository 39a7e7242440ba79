// Between the tensors of a model's files and our parameters: which bytes fill which elements, and which
// tensors are only carried along. Saving is the same table read backwards.

import {EngineError} from '../errors.js';
import type {SafetensorsHeader, TensorEntry} from '../files/safetensors.js';
import type {ElementType, WeightPart} from '../native.js';
import type {Family} from './spec.js';

export type ParameterShape = {name: string; rows: number; columns: number};

/** A tensor of the file and the elements of a parameter it holds. */
export type MappedTensor = {
	/** Name in the file. */
	file: string;
	shape: readonly number[];
	parameter: string;
	at: number;
	count: number;
};

export type WeightPlan = {
	/** What is loaded, then copies of it in the file, which are only saved. */
	mapped: MappedTensor[];
	/** Of each tensor that is loaded, in the order of `mapped`. */
	parts: WeightPart[];
	/** Tensors that nothing here uses; saved as they are. */
	carried: TensorEntry[];
	/** Those among them that the family does not know. */
	unknown: string[];
};

const elementTypes: Readonly<Record<string, ElementType>> = {
	F32: 'f32',
	F16: 'f16',
	BF16: 'bf16',
	F64: 'f64',
};

/** Finds every parameter of the body in the file; a missing or wrongly shaped tensor is named. */
export function planWeights(
	family: Family,
	parameters: readonly ParameterShape[],
	header: SafetensorsHeader,
): WeightPlan {
	const names = [...header.tensors.keys()];
	const prefix = family.prefixes.find(p => names.some(name => name.startsWith(p))) ?? '';
	const plan: WeightPlan = {mapped: [], parts: [], carried: [], unknown: []};
	const copied: MappedTensor[] = [];
	for (const parameter of parameters) {
		const stacks = stacksOf(family, parameter.name).map(files =>
			files.map(file => ({file: prefix + file, entry: entryOf(header, [prefix + file, file])})),
		);
		const [first, ...copies] = stacks.flatMap(stack => {
			const entries = stack.flatMap(({entry}) => entry ?? []);
			return entries.length === stack.length ? [mapStack(header, parameter, entries)] : [];
		});
		if (!first) throw missing(header, parameter, stacks);
		plan.mapped.push(...first.map(({tensor}) => tensor));
		plan.parts.push(...first.map(({tensor, entry}) => partOf(header, tensor, entry)));
		copied.push(...copies.flat().map(({tensor}) => tensor));
	}
	plan.mapped.push(...copied);
	sortOut(plan, {family, header, prefix});
	return plan;
}

/** Tensors that no parameter takes are carried, but for those that tell a variant we would get wrong. */
function sortOut(
	plan: WeightPlan,
	{family, header, prefix}: {family: Family; header: SafetensorsHeader; prefix: string},
): void {
	const used = new Set(plan.mapped.map(({file}) => file));
	for (const entry of header.tensors.values()) {
		if (used.has(entry.name)) continue;
		const bare = entry.name.startsWith(prefix) ? entry.name.slice(prefix.length) : entry.name;
		if (family.foreign?.some(pattern => pattern.test(bare))) {
			throw new EngineError(
				'MODEL_TENSOR',
				`${header.path}: expected a plain ${family.name} model, got tensor "${entry.name}", ` +
					'which belongs to a variant that is not supported',
			);
		}
		plan.carried.push(entry);
		if (!family.unused.some(pattern => pattern.test(bare))) plan.unknown.push(entry.name);
	}
}

/** What a parameter may be stacked from, with the block's number put in. */
export function stacksOf(family: Family, parameter: string): string[][] {
	const block = /^blocks\.(\d+)\./.exec(parameter)?.[1] ?? '';
	const stacks = family.tensors.flatMap(([files, target]) =>
		target.replace('{i}', block) === parameter
			? [[files].flat().map(file => file.replace('{i}', block))]
			: [],
	);
	if (stacks.length > 0) return stacks;
	throw new EngineError('INTERNAL', `${family.name}: no tensor is named for ${parameter}`);
}

function entryOf(header: SafetensorsHeader, names: readonly string[]): TensorEntry | undefined {
	const known = names.flatMap(name => [name, legacyName(name)]);
	return known.map(name => header.tensors.get(name)).find(entry => entry !== undefined);
}

type Stack = {file: string; entry: TensorEntry | undefined}[];

/** Names the first tensor that is missing of the names that the file has most of. */
function missing(
	header: SafetensorsHeader,
	{rows, columns}: ParameterShape,
	stacks: readonly Stack[],
): EngineError {
	const share = (stack: Stack) => stack.filter(({entry}) => entry).length / stack.length;
	const nearest = stacks.toSorted((a, b) => share(b) - share(a))[0]!;
	const {file} = nearest.find(({entry}) => !entry)!;
	const shape = `${rows} × ${columns}`;
	return new EngineError(
		'MODEL_TENSOR',
		`${header.path}: expected tensor "${file}" (${nearest.length > 1 ? `part of ${shape}` : shape}), ` +
			`got none; the file holds ${header.tensors.size} tensors`,
	);
}

/** Files from before PyTorch call the weight of a norm gamma and its bias beta. */
function legacyName(name: string): string {
	return name
		.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma')
		.replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
}

type Mapped = {tensor: MappedTensor; entry: TensorEntry};

/** Tensors one above the other in a parameter, as many rows of each as it has. */
function mapStack(
	header: SafetensorsHeader,
	{name, rows, columns}: ParameterShape,
	entries: readonly TensorEntry[],
): Mapped[] {
	const isRow = rows === 1 && entries.every(({shape}) => shape.length === 1);
	const expected = isRow ? [columns] : [rows, columns];
	let at = 0;
	const mapped = entries.map(entry => {
		const isPart = entries.length > 1 && entry.shape.length === expected.length;
		const fitting = isPart ? [entry.shape[0]!, ...expected.slice(1)] : expected;
		if (entry.shape.join() !== fitting.join()) throw contradiction(header, [entry], fitting);
		const count = entry.shape.reduce((product, extent) => product * extent, 1);
		at += count;
		return {
			entry,
			tensor: {file: entry.name, shape: entry.shape, parameter: name, at: at - count, count},
		};
	});
	if (at !== rows * columns) throw contradiction(header, entries, expected);
	return mapped;
}

function contradiction(
	{path}: SafetensorsHeader,
	entries: readonly TensorEntry[],
	expected: readonly number[],
): EngineError {
	const names = entries.map(({name}) => `"${name}"`).join(', ');
	const shapes = entries.map(({shape}) => `[${shape}]`).join(', ');
	const what = entries.length > 1 ? `tensors ${names} of shape [${expected}] together` : '';
	return new EngineError(
		'MODEL_TENSOR',
		`${path}: expected ${what || `tensor ${names} of shape [${expected}]`}, got ${shapes}; ` +
			'config.json and the weights contradict each other',
	);
}

/** Where the bytes of a tensor lie, and what they hold. */
function partOf(
	{path}: SafetensorsHeader,
	{parameter: name, at, count}: MappedTensor,
	{name: file, begin, dtype}: TensorEntry,
): WeightPart {
	const type = elementTypes[dtype];
	if (type) return {name, at, count, offset: begin, type, tensor: file};
	const known = Object.keys(elementTypes).join(', ');
	throw new EngineError(
		'MODEL_TENSOR',
		`${path}: expected tensor "${file}" of type ${known}, got ${dtype}`,
	);
}
