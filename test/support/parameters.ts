// What a model's core holds for each of its parameters.

import type {NativeModel} from '../../dist/native.js';

export async function readParameters(
	core: NativeModel,
	kind: 'weight' | 'gradient' = 'weight',
): Promise<Map<string, Float32Array>> {
	const found = new Map<string, Float32Array>();
	for (const {name, rows, columns} of core.parameters()) {
		const values = new Float32Array(rows * columns);
		await core.read(kind, name, 0, values);
		found.set(name, values);
	}
	return found;
}
