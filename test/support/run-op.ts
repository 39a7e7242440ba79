// Runs one op of native/ops by name on matrices, as the engine's callers do.
//
// Operands lie between guard elements, which must be as they were afterwards.

import {expect} from 'vitest';
import {type NativeDevice, native, type Tensor} from '../../dist/native.js';
import {type Matrix, rowsOf} from './matrix.js';

export type Operand = Matrix | Tensor | Int32Array | string | number | boolean | undefined;

const guard = -12352; // bf16 holds it too
const guardElements = 32;

/**
Writes `inputs` and `outputs` (with what they hold before), runs the op and returns what the outputs
then hold. A field that is undefined is left out; a tensor is the caller's own.
*/
export async function runOp<Name extends string>(
	device: NativeDevice,
	op: string,
	inputs: Readonly<Record<string, Operand>>,
	outputs: Readonly<Record<Name, Matrix>>,
): Promise<Record<Name, Matrix>> {
	const whole = new Map<string, Tensor>();
	const fields: Record<string, unknown> = {};
	for (const [name, operand] of Object.entries<Operand>({...inputs, ...outputs})) {
		if (isMatrix(operand)) {
			whole.set(name, guarded(device, operand));
			fields[name] = inside(whole.get(name)!, operand);
		} else if (operand !== undefined) {
			fields[name] = operand instanceof Int32Array ? integers(device, operand) : operand;
		}
	}

	device.run(op, fields);
	const results = {} as Record<Name, Matrix>;
	for (const name of Object.keys(outputs) as Name[]) {
		results[name] = await unguarded(device, whole.get(name)!, outputs[name]);
	}
	return results;
}

export function newDevice(threads = 1): NativeDevice {
	return new (native().Device)(threads);
}

export async function readMatrix(
	device: NativeDevice,
	tensor: Tensor,
	type: 'f32' | 'bf16' = 'f32',
): Promise<Matrix> {
	const {rows, columns} = tensor;
	const values = new Float32Array(rows * columns);
	if (type === 'f32') {
		await device.read(tensor, values);
		return {rows, columns, values: Float64Array.from(values)};
	}

	const halves = new Uint16Array(rows * columns);
	await device.read(tensor, halves);
	new Uint32Array(values.buffer).set(Uint32Array.from(halves, half => half << 16));
	return {rows, columns, values: Float64Array.from(values), type};
}

export function tensorOf(device: NativeDevice, {rows, columns, values, type}: Matrix): Tensor {
	const tensor = device.tensor(rows, columns, type ?? 'f32');
	const floats = Float32Array.from(values);
	const words = new Uint32Array(floats.buffer);
	device.write(tensor, type === 'bf16' ? Uint16Array.from(words, word => word >>> 16) : floats);
	return tensor;
}

export function integers(device: NativeDevice, values: Int32Array): Tensor {
	const tensor = device.tensor(1, values.length, 'i32');
	device.write(tensor, values);
	return tensor;
}

function isMatrix(operand: Operand): operand is Matrix {
	return typeof operand === 'object' && 'values' in operand && 'rows' in operand;
}

function guardRows(columns: number): number {
	return Math.ceil(guardElements / columns);
}

function guarded(device: NativeDevice, {rows, columns, values, ...kind}: Matrix): Tensor {
	const around = guardRows(columns);
	const padded = new Float64Array((rows + 2 * around) * columns).fill(guard);
	padded.set(values, around * columns);
	return tensorOf(device, {rows: rows + 2 * around, columns, values: padded, ...kind});
}

function inside(whole: Tensor, {rows, columns}: Matrix): Tensor {
	return whole.slice(guardRows(columns), rows);
}

async function unguarded(device: NativeDevice, whole: Tensor, {rows, columns, type}: Matrix) {
	const all = await readMatrix(device, whole, type);
	const around = guardRows(columns);
	const guards = [rowsOf(all, 0, around), rowsOf(all, around + rows, all.rows)];
	const isWhole = guards.every(part => part.values.every(value => value === guard));
	expect(isWhole, 'the elements around an output are as they were').toBe(true);
	return rowsOf(all, around, around + rows);
}
