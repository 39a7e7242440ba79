// Loads, uses and disposes the embedded model 160 times; prints how far the resident size grew over the last
// 100, and the size of its weights, in bytes. Needs --expose-gc: garbage of JavaScript is no growth of ours,
// nor is its nursery (--max-semi-space-size). The first sixty fill the arenas that
// glibc makes for threads; where garbage lies in them differs by the moment, so the least of ten sizes counts.

import {setTimeout as sleep} from 'node:timers/promises';
import {EmbeddingModel} from '../../dist/index.js';

let weights = 0;

async function once() {
	const model = await EmbeddingModel.load('builtin', {threads: 2});
	await model.encode(['a text', 'another one']);
	weights = model.core.statistics().parameterBytes;
	await model.dispose();
}

async function sizeAfter(rounds) {
	for (let round = 10; round < rounds; round++) await once();
	let least = Number.POSITIVE_INFINITY;
	for (let round = 0; round < 10; round++) {
		await once();
		for (let time = 0; time < 4; time++) {
			globalThis.gc();
			await sleep(10); // memory behind buffers is given back between turns
		}
		least = Math.min(least, process.memoryUsage.rss());
	}
	return least;
}

const before = await sizeAfter(60);
console.log((await sizeAfter(100)) - before, weights);
