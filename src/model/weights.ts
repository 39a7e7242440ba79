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
	mapped: MappedTensor[];
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
	const prefix =
		family.prefixes.find(p => [...header.tensors.keys()].some(name => name.startsWith(p))) ?? '';
	const plan: WeightPlan = {mapped: [], parts: [], carried: [], unknown: []};
	const used = new Set<string>();
	for (const parameter of parameters) {
		for (const rule of rulesOf(family, parameter.name)) {
			const entry = entryOf(header, [prefix + rule.file, rule.file], parameter);
			used.add(entry.name);
			addTensor(plan, {header, entry, parameter, part: rule.part});
		}
	}
	for (const entry of header.tensors.values()) {
		if (used.has(entry.name)) continue;
		plan.carried.push(entry);
		const bare = entry.name.startsWith(prefix) ? entry.name.slice(prefix.length) : entry.name;
		if (!family.unused.some(pattern => pattern.test(bare))) plan.unknown.push(entry.name);
	}
	return plan;
}

type Rule = {file: string; part: readonly [number, number]};

/** The lines of the table that fill a parameter, with the block's number put in. */
function rulesOf(family: Family, parameter: string): Rule[] {
	const block = /^blocks\.(\d+)\./.exec(parameter)?.[1] ?? '';
	const rules = family.tensors.flatMap(([file, target, part = [0, 1]]) =>
		target.replace('{i}', block) === parameter ? [{file: file.replace('{i}', block), part}] : [],
	);
	if (rules.length > 0) return rules;
	throw new EngineError('INTERNAL', `${family.name}: no tensor is named for ${parameter}`);
}

function entryOf(
	header: SafetensorsHeader,
	names: string[],
	parameter: ParameterShape,
): TensorEntry {
	for (const name of names.flatMap(n => [n, legacyName(n)])) {
		const entry = header.tensors.get(name);
		if (entry) return entry;
	}
	throw new EngineError(
		'MODEL_TENSOR',
		`${header.path}: expected tensor "${names[0]}" (${parameter.rows} × ${parameter.columns}), got none; ` +
			`the file holds ${header.tensors.size} tensors`,
	);
}

/** Files from before PyTorch call the weight of a norm gamma and its bias beta. */
function legacyName(name: string): string {
	return name
		.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma')
		.replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
}

type Found = {
	header: SafetensorsHeader;
	entry: TensorEntry;
	parameter: ParameterShape;
	part: readonly [number, number];
};

function addTensor(plan: WeightPlan, {header, entry, parameter, part: [index, of]}: Found): void {
	const {rows, columns, name} = parameter;
	const isRow = entry.shape.length === 1;
	const expected = isRow && rows === 1 ? [columns / of] : [rows / of, columns];
	if (entry.shape.join() !== expected.join()) {
		throw new EngineError(
			'MODEL_TENSOR',
			`${header.path}: expected tensor "${entry.name}" of shape [${expected}], got [${entry.shape}]; ` +
				'config.json and the weights contradict each other',
		);
	}
	const type = elementTypes[entry.dtype];
	if (type === undefined) {
		const known = Object.keys(elementTypes).join(', ');
		throw new EngineError(
			'MODEL_TENSOR',
			`${header.path}: expected tensor "${entry.name}" of type ${known}, got ${entry.dtype}`,
		);
	}
	const count = (rows * columns) / of;
	plan.mapped.push({
		file: entry.name,
		shape: entry.shape,
		parameter: name,
		at: index * count,
		count,
	});
	plan.parts.push({name, at: index * count, count, offset: entry.begin, type});
}
