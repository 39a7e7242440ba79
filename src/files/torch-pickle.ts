// The pickle of a table of tensors as torch.save writes it: names, and for each tensor which part of
// which storage it is. The storages themselves lie outside the pickle.

import {kindOf} from '../errors.js';
import {type Maker, PickleName, type PickleOptions, readPickle, refusePickle} from './pickle.js';
import {type TensorDtype, tensorBytes} from './safetensors-header.js';

/** Values of one type behind one another, under a name of their own. */
export interface Storage {
	readonly key: string;
	readonly dtype: TensorDtype;
	/** Values, not bytes. */
	readonly count: number;
}

/** A tensor as part of a storage. */
export interface StorageView {
	readonly name: string;
	readonly storage: Storage;
	/** First value. */
	readonly at: number;
	readonly shape: number[];
}

const dtypes: Readonly<Record<string, TensorDtype>> = {
	'torch.FloatStorage': 'F32',
	'torch.HalfStorage': 'F16',
	'torch.BFloat16Storage': 'BF16',
	'torch.DoubleStorage': 'F64',
	'torch.LongStorage': 'I64',
	'torch.IntStorage': 'I32',
	'torch.ShortStorage': 'I16',
	'torch.CharStorage': 'I8',
	'torch.ByteStorage': 'U8',
	'torch.BoolStorage': 'BOOL',
	'torch.ComplexFloatStorage': 'C64',
};

/** A tensor as the pickle makes it, before it has a name and is checked. */
class Rebuilt {
	readonly parts: readonly unknown[];

	constructor(parts: readonly unknown[]) {
		this.parts = parts;
	}
}

class PickledStorage implements Storage {
	readonly key: string;
	readonly dtype: TensorDtype;
	readonly count: number;

	constructor({key, dtype, count}: Storage) {
		this.key = key;
		this.dtype = dtype;
		this.count = count;
	}
}

const first: Maker = args => args[0];
const rebuild: Maker = args => new Rebuilt(args);

const makers: Readonly<Record<string, Maker | undefined>> = {
	'collections.OrderedDict': () => new Map(),
	'torch._utils._rebuild_tensor': rebuild,
	'torch._utils._rebuild_tensor_v2': rebuild,
	'torch._utils._rebuild_parameter': first,
	'torch._utils._rebuild_parameter_with_state': first,
	'torch.Size': first,
	'torch.device': () => null,
	...Object.fromEntries(Object.keys(dtypes).map(name => [name, undefined])),
};

/** All that may be named: what is not here is refused, whatever it would do. */
const names: ReadonlyMap<string, PickleName> = new Map(
	Object.entries(makers).map(([name, make]) => [name, new PickleName(name, make)]),
);

/** A pickle of plain data alone. */
export async function readPlainPickle(bytes: Uint8Array, options: Omit<PickleOptions, 'names'>) {
	return readPickle(bytes, {...options, names: new Map()});
}

/** Reads a table of tensors; each of them lies within its storage. */
export async function readTensorPickle(
	bytes: Uint8Array,
	{path, begin = 0}: {path: string; begin?: number},
): Promise<{views: StorageView[]; end: number}> {
	const persistent = (id: unknown) => storageOf(id, path);
	const {value, end} = await readPickle(bytes, {path, begin, names, persistent});
	if (!(value instanceof Map)) refusePickle(path, 'a dict of tensors by name', kindOf(value));
	const views: StorageView[] = [];
	for (const [name, tensor] of value as Map<unknown, unknown>) {
		if (typeof name !== 'string')
			refusePickle(path, 'tensors by name', `a name of ${kindOf(name)}`);
		views.push(viewOf(name, tensor, path));
	}

	return {views, end};
}

/** ('storage', type, key, device, count), and in old files what it is a part of: nothing. */
function storageOf(id: unknown, path: string): Storage {
	const [tag, type, key, , count, whole] = Array.isArray(id) ? (id as unknown[]) : [];
	const dtype = type instanceof PickleName ? dtypes[type.name] : undefined;
	if (tag !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount(count)) {
		refusePickle(path, 'a storage of a known type', kindOf(id));
	}

	if (whole !== undefined && whole !== null) {
		refusePickle(
			path,
			'whole storages',
			'a part of another; save it with a newer version of torch',
		);
	}

	return new PickledStorage({key, dtype, count});
}

function viewOf(name: string, tensor: unknown, path: string): StorageView {
	const where = `${path}: "${name}"`;
	if (!(tensor instanceof Rebuilt)) {
		const isNested = tensor instanceof Map;
		const hint = isNested ? 'a dict; save the state dict itself' : kindOf(tensor);
		refusePickle(where, 'a tensor', hint);
	}

	const [storage, at, shape, strides] = tensor.parts;
	if (!(storage instanceof PickledStorage) || !isCount(at) || !isCounts(shape)) {
		refusePickle(where, 'a storage, a place in it and a shape', 'something else');
	}

	if (!isContiguous(shape, strides)) {
		refusePickle(where, 'values in the order of the shape', 'a view; save it with .contiguous()');
	}

	const bytes = tensorBytes(storage.dtype, shape);
	const whole = tensorBytes(storage.dtype, [storage.count]);
	const begin = tensorBytes(storage.dtype, [at]);
	if (bytes === undefined || begin === undefined || whole === undefined || begin + bytes > whole) {
		const got = `[${shape.slice(0, 8)}] from ${at}`;
		refusePickle(where, `a part of a storage of ${storage.count} values`, got);
	}

	return {name, storage, at, shape};
}

/** Whether values lie as the shape says, last axis first. An axis of one value may have any stride. */
function isContiguous(shape: readonly number[], strides: unknown): boolean {
	if (!isCounts(strides) || strides.length !== shape.length) return false;
	if (shape.includes(0)) return true;
	let expected = 1;
	for (let axis = shape.length - 1; axis >= 0; axis--) {
		const extent = shape[axis]!;
		if (extent !== 1 && strides[axis] !== expected) return false;
		expected *= extent;
	}

	return true;
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounts(value: unknown): value is number[] {
	return Array.isArray(value) && value.every(isCount);
}
