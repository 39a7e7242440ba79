// npm run soak -- [--minutes N] [--threads N]: encoding, streams, training, loading and aborts, mixed
// for as long as asked (default 60 minutes). Prints the resident size every minute: the smallest after a
// collection, since what JavaScript has not collected yet comes and goes. Fails when that of the last
// fifth is more than 1 % above that of the second, or when a text's vector changes a bit.

import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {parseArgs} from 'node:util';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import {ensureBuilt, start} from './build.mjs';
import {root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

const tolerated = 0.01;
const witness = 'my bike makes a noise when it rains';

/** What a round does; each leaves nothing behind. */
const works = [encodeMany, stream, manyBesideOne, abort, trainOther];
/** Loading starts a thread of Node, which keeps some kilobytes each time: seldom. */
const roundsOfLoad = 20;

await start(import.meta.url, async args => {
	const {values} = parseArgs({
		args,
		options: {
			minutes: {type: 'string', default: '60'},
			threads: {type: 'string', default: '1'},
		},
	});
	if (!(values.minutes >= 2)) {
		throw new BuildError(`soak: expected at least 2 minutes, got ${values.minutes}`);
	}
	ensureBuilt();
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-soak-'));
	try {
		const growth = await soak({
			minutes: Number(values.minutes),
			threads: Number(values.threads),
			folder,
		});
		console.log(`soak: grew by ${(100 * growth).toFixed(2)} % after the first fifth`);
		return growth > tolerated ? 1 : 0;
	} finally {
		rmSync(folder, {recursive: true});
	}
});

/** Works for so many minutes; the share by which the resident size grew after the first fifth. */
async function soak({minutes, threads, folder}) {
	const inbatch = await import('../dist/index.js');
	const load = () => inbatch.EmbeddingModel.load('builtin', {threads});
	const [model, other] = [await load(), await load()];
	const state = {...inbatch, load, other, folder, random: uniforms(1), words: wordsOfSample()};
	const expected = await model.embed(witness);
	const floors = [];
	for (let minute = 1; minute <= minutes; minute++) {
		const {sizes, rounds} = await workForAMinute(state, model, expected);
		floors.push(Math.min(...sizes));
		const {heapUsed, external} = process.memoryUsage();
		console.log(
			`minute ${minute}: ${mebibytes(floors.at(-1))} MiB resident (at most ${mebibytes(Math.max(...sizes))}), ` +
				`${mebibytes(heapUsed + external)} of them JavaScript's; ${rounds} rounds`,
		);
	}
	await Promise.all([model.dispose(), other.dispose()]);
	const fifth = Math.ceil(minutes / 5);
	return Math.min(...floors.slice(-fifth)) / Math.min(...floors.slice(fifth, 2 * fifth)) - 1;
}

async function workForAMinute(state, model, expected) {
	const end = performance.now() + 60_000;
	const sizes = [];
	let rounds = 0;
	while (performance.now() < end) {
		for (const work of works) await work(state, model);
		if (rounds % roundsOfLoad === 0) await loadAnother(state);
		const vector = await model.embed(witness);
		if (!vector.every((value, n) => value === expected[n])) {
			throw new Error('soak: expected a text to keep its bits, got others');
		}
		await collectGarbage();
		sizes.push(process.memoryUsage.rss());
		rounds++;
	}
	return {sizes, rounds};
}

async function encodeMany(state, model) {
	await model.encode(textsOf(state, {count: 32, longest: 400}));
}

async function stream(state, model) {
	const texts = textsOf(state, {count: 1200, longest: 12});
	let batches = 0;
	for await (const {rows} of model.encodeStream(texts)) {
		batches += rows > 0;
		if (state.random() < 0.3) break;
	}
	if (batches === 0) throw new Error('soak: expected batches of a stream, got none');
}

async function manyBesideOne(state, model) {
	const large = model.encode(textsOf(state, {count: 40, longest: 300}));
	const small = textsOf(state, {count: 50, longest: 10}).map(text => model.embed(text));
	await Promise.all([large, ...small]);
}

async function abort(state, model) {
	const controller = new AbortController();
	const texts = textsOf(state, {count: 400, longest: 300});
	const work = model.encode(texts, {signal: controller.signal});
	setTimeout(() => controller.abort(), 100 * state.random());
	await work.catch(error => {
		if (error.name !== 'AbortError') throw error;
	});
}

async function loadAnother({load}) {
	const another = await load();
	await another.embed(witness);
	await another.dispose();
}

async function trainOther({train, other, folder, random}) {
	const output = join(folder, 'run');
	const data = join(root, 'sample', 'train.jsonl');
	const batchSize = 8 + Math.floor(24 * random());
	await train(other, {data, batchSize, steps: 3, output, learningRate: 1e-6});
	rmSync(output, {recursive: true});
}

function textsOf({random, words}, {count, longest}) {
	return Array.from({length: count}, () => {
		const length = 1 + Math.floor(longest * random());
		const from = Math.floor((words.length - length) * random());
		return words.slice(from, from + length).join(' ');
	});
}

function wordsOfSample() {
	const lines = readFileSync(join(root, 'sample', 'corpus.jsonl'), 'utf8')
		.trim()
		.split('\n');
	return lines.flatMap(line => JSON.parse(line).text.split(' '));
}

// Numbers from 0 to 1, the same each time.
function uniforms(seed) {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32;
	};
}

// Memory behind buffers is given back between turns of the event loop, by several collections.
async function collectGarbage() {
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc');
	for (let time = 0; time < 4; time++) {
		collect();
		await sleep(10);
	}
}

function mebibytes(bytes) {
	return (bytes / 2 ** 20).toFixed(1);
}
