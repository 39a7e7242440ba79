// Loads and disposes models of some 16 MB in turn and prints how far the resident size grew after the
// first few, in bytes.

import {rmSync, writeFileSync} from 'node:fs';
import {mkdtemp} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {native} from '../../dist/native.js';
import {batchOf, encode, specOf} from './tiny-model.mjs';

const device = new (native().Device)(2);
const spec = specOf({vocabulary: 65536});
const folder = await mkdtemp(join(tmpdir(), 'inbatch-addon-'));
const file = join(folder, 'weights');

function partsOf(model) {
	let offset = 0;
	return model.parameters().map(({name, rows, columns}) => {
		const count = rows * columns;
		offset += 4 * count;
		return {name, at: 0, count, offset: offset - 4 * count, type: 'f32'};
	});
}

async function once() {
	const model = new (native().Model)(device, spec);
	const parts = partsOf(model);
	const last = parts.at(-1);
	writeFileSync(file, new Uint8Array(last.offset + 4 * last.count), {flag: 'w'});
	await model.load(file, parts);
	await model.pack();
	await encode(model, batchOf(8));
	await model.dispose();
}

async function times(count) {
	for (let time = 0; time < count; time++) await once();
	return process.memoryUsage.rss();
}

try {
	const before = await times(10);
	console.log((await times(50)) - before);
} finally {
	rmSync(folder, {recursive: true});
}
