// How many megabytes of text a second does a thread tokenize, and what share is that of encoding them?
//
// Times of tokenizing are those of the processor, so that other programs count less.

import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {cpus, tmpdir} from 'node:os';
import {join} from 'node:path';
import {formatTable} from '../dist/files/table.js';
import {EmbeddingModel} from '../dist/model/embedding-model.js';
import {Encoder} from '../dist/tokenizer/encoder.js';
import {readTokenizerFiles} from '../dist/tokenizer/files.js';
import {openEncoder} from '../dist/tokenizer/native-encoder.js';
import {Tokenizer} from '../dist/tokenizer/tokenizer.js';
import {longestStretch} from './main-thread.mjs';
import {median, peers, timed} from './rounds.mjs';

const shared = process.env.INBATCH_SHARED ?? '../shared';
const settings = {maxLength: 2 ** 30, truncationSide: 'right', addSpecialTokens: true};
const encodedTexts = 2000;

export async function measure({model, threads, seconds, python, data}) {
	const texts = {English: englishTexts(data), mixed: mixedTexts()};
	const rows = [['', 'texts', 'MB/s', 'best', 'texts/s', 'ours is']];
	for (const [name, folder] of kindsOf(model)) {
		for (const [language, list] of Object.entries(texts)) {
			const label = `${name}, ${language}`;
			rows.push(...(await ratesOf({label, folder, texts: list, seconds, python})));
		}
	}
	console.log(`\ntokenize, one thread: ${cpus()[0].model.trim()}, Node ${process.version}`);
	console.log(formatTable(rows, {align: ['left', ...Array(5).fill('right')]}));
	for (const dtype of ['f32', 'int8']) await share({model, threads, dtype, texts: texts.English});
}

function kindsOf(model) {
	const folder = name => `${shared}/data/tokenizers/${name}`;
	return [
		['WordPiece (MiniLM)', model],
		['BPE of bytes (GPT-2)', folder('gpt2')],
		['BPE (Llama 2)', folder('llama2')],
		['Unigram (T5)', folder('t5-small')],
	];
}

function englishTexts(data) {
	const rows = jsonLines(data, 3000);
	return [...new Set(rows.flatMap(({query, pos}) => [query, ...pos]))];
}

/** Languages other than English; German and Chinese. */
function mixedTexts() {
	return ['de', 'zh']
		.flatMap(language => jsonLines(`${shared}/data/xquad/${language}/corpus.jsonl`, 2000))
		.map(({text}) => text);
}

function jsonLines(path, most) {
	const lines = readFileSync(path, 'utf8').split('\n').slice(0, most);
	return lines.filter(line => line !== '').map(line => JSON.parse(line));
}

async function ratesOf({label, folder, texts, seconds, python}) {
	const {source} = await readTokenizerFiles(folder);
	// Of the folders, only that of GPT-2 names no class.
	const {tokenizer_class: type = 'GPT2Tokenizer'} = source.settings;
	const named = {...source, settings: {...source.settings, tokenizer_class: type}};
	const own = [openEncoder(named), new Encoder(named)].map(encoder => ({
		name: `inbatch, ${encoder.path}`,
		run: async () => processorSeconds(() => encoder.encode(texts, settings)),
	}));
	const others = await withFile(texts, file => peers(python, 'text_ids.py', [folder, file], 1));
	const candidates = [...own, ...others];
	const times = candidates.map(() => []);
	for (const candidate of candidates) await candidate.run();
	const end = performance.now() + seconds * 1000;
	while (performance.now() < end || times[0].length < 3) {
		for (const [n, candidate] of candidates.entries()) times[n].push(await candidate.run());
	}
	for (const candidate of others) candidate.close();
	const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6;
	const ours = median(times[0]);
	return candidates.map(({name}, n) => [
		`${label}: ${name}`,
		String(texts.length),
		(megabytes / median(times[n])).toFixed(1),
		(megabytes / Math.min(...times[n])).toFixed(1),
		(texts.length / median(times[n])).toFixed(0),
		n === 0 ? '' : `${(median(times[n]) / ours).toFixed(2)}x`,
	]);
}

function processorSeconds(work) {
	const begun = process.cpuUsage();
	work();
	const {user, system} = process.cpuUsage(begun);
	return (user + system) / 1e6;
}

/** Peers read the texts from a file, before they name themselves. */
async function withFile(texts, use) {
	const folder = mkdtempSync(join(tmpdir(), 'tokenize-'));
	const file = join(folder, 'texts.json');
	writeFileSync(file, JSON.stringify(texts));
	try {
		return await use(file);
	} finally {
		rmSync(folder, {recursive: true});
	}
}

/** Tokenizing alone and encoding the same texts, each with the longest stretch that it held the event loop. */
async function share({model: path, threads, dtype, texts}) {
	const some = texts.slice(0, encodedTexts);
	const model = await EmbeddingModel.load(path, {dtype, ...(threads && {threads})});
	const tokenizer = await Tokenizer.open(await readTokenizerFiles(path));
	const maxLength = model.maxLength;
	const tokenize = await held(() => tokenizer.encode(some, {maxLength}));
	const again = await held(() => tokenizer.encode(some, {maxLength}));
	const encode = await held(() => model.encode(some));
	console.log(
		`\nencode of ${some.length} texts in ${dtype}: ${(some.length / encode.seconds).toFixed(1)} texts/s; ` +
			`tokenizing them alone takes ${(1000 * tokenize.seconds).toFixed(0)} ms at first, ` +
			`${(1000 * again.seconds).toFixed(0)} ms again: ` +
			`${((100 * tokenize.seconds) / encode.seconds).toFixed(2)} % of it; ` +
			`the event loop was held ${tokenize.held.toFixed(1)} and ${encode.held.toFixed(1)} ms at most`,
	);
	await tokenizer.dispose();
	await model.dispose();
}

/** Seconds, and the longest stretch in ms that the main thread computed between two turns of its event loop. */
async function held(work) {
	let seconds = 0;
	const longest = await longestStretch(async () => {
		seconds = await timed(work);
	});
	return {seconds, held: longest};
}
