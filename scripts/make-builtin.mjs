// Makes the embedded model (models/builtin) with the engine itself: a small BERT distilled from the
// vectors of a larger model, in stages. Needs the built package and the shared data:
//   node scripts/make-builtin.mjs --work FOLDER [--begin MODEL --from STAGE] [--data FOLDER]
//     [--teacher FOLDER] [--output FOLDER] [--trial STEPS] [--recipe JSON] [--shape JSON]
// The work folder keeps the vocabulary, the teacher's vectors, the student before training and the
// runs, so that a second call goes on where the first was stopped; with --begin a model takes the place
// of what comes before a stage. Choices are made by training texts held out: --trial runs so many steps
// of the first stage asked for, with what --recipe changes in it and --shape in the student, and prints
// what it makes of them.
// Evaluation data is read to leave its texts out, and at the end for the figures of the card.

import {execFile} from 'node:child_process';
import {mkdir, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs, promisify} from 'node:util';
import {EmbeddingModel, train} from '../dist/index.js';
import {distil} from './builtin/distil.mjs';
import {figures} from './builtin/figures.mjs';
import {holdOut, measureHeldOut} from './builtin/held-out.mjs';
import {orderedPairs} from './builtin/pairs.mjs';
import {publish} from './builtin/publish.mjs';
import {uniforms} from './builtin/random.mjs';
import {piecesOf, writeStudent} from './builtin/student.mjs';
import {teacherVectors} from './builtin/teacher.mjs';
import {readTexts} from './builtin/texts.mjs';

const inRepository = path => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The student; chosen with its vocabulary after trials of the first stage, each within 8 MB. */
const shape = {width: 192, blocks: 3, heads: 6, vocabulary: 12000};

const shared = {
	batchSize: 128,
	schedule: 'cosine',
	weightDecay: 0.01,
	dropout: 0,
	chunkTokens: 16384,
	seed: 1,
};

const ranking = {
	...shared,
	order: 'file',
	documentMaxLength: 192,
	temperature: 0.1,
	weights: {near: 1, apart: 10, order: 0.3, found: 0.2},
};

/** Set before the runs, after trials of a few steps judged on training texts held out. */
const stages = [
	{
		...shared,
		name: 'vectors',
		passes: 5,
		order: 'shuffle',
		learningRate: 1e-3,
		warmupRatio: 0.06,
		temperature: 0.1,
		weights: {near: 1, apart: 10, order: 0, found: 0},
	},
	{
		...ranking,
		name: 'ranks',
		passes: 2,
		learningRate: 6e-4,
		warmupSteps: 18,
		maxSteps: 600,
	},
	{
		...ranking,
		name: 'close',
		passes: 1,
		schedule: 'linear',
		learningRate: 3e-4,
		warmupSteps: 4,
		maxSteps: 200,
		seed: 2,
	},
];

async function main() {
	const {values} = parseArgs({
		options: {
			data: {type: 'string', default: inRepository('../shared/data')},
			teacher: {type: 'string', default: inRepository('../shared/models/all-MiniLM-L6-v2')},
			work: {type: 'string'},
			begin: {type: 'string'},
			from: {type: 'string', default: stages[0].name},
			output: {type: 'string', default: inRepository('models/builtin')},
			trial: {type: 'string'},
			recipe: {type: 'string', default: '{}'},
			shape: {type: 'string', default: '{}'},
		},
	});
	if (!values.work) throw new Error('--work: expected a folder for what takes long to make');
	await mkdir(values.work, {recursive: true});
	const from = stages.findIndex(({name}) => name === values.from);
	if (from === -1) throw new Error(`--from: expected a stage, got ${values.from}`);
	const source = await readSource(values);
	const asked = stages.slice(from);
	let begin = values.begin ?? (await initialStudent(values, source));
	if (values.trial) {
		const warm = {warmupSteps: undefined, warmupRatio: 0.06};
		const short = {...warm, maxSteps: Number(values.trial), scheduleSteps: undefined};
		const stage = {...asked[0], ...short, ...JSON.parse(values.recipe)};
		await trained(begin, stage, {...source, work: undefined});
		return;
	}

	const runs = [];
	for (const stage of asked) {
		runs.push(await trained(begin, stage, source));
		begin = runs.at(-1).output;
	}

	await publish(begin, values.output, {
		runs,
		texts: source.texts.length,
		figures: folder => figures(folder, values),
	});
}

/** What is trained on: texts, their teacher's vectors, what is held out of them. */
async function readSource({data, teacher, work}) {
	const {texts, ...grouped} = await readTexts(data);
	const vectors = await teacherVectors(teacher, texts, work);
	return {work, texts, grouped, teacher: vectors, ...holdOut(grouped, vectors)};
}

async function initialStudent({teacher, work, shape: asked}, {texts, grouped}) {
	const chosen = {...shape, ...JSON.parse(asked)};
	const words = join(work, 'words.jsonl');
	await writeFile(words, linesForWords(texts, grouped));
	const vocabulary = join(work, `vocabulary-${chosen.vocabulary}`);
	await promisify(execFile)(process.execPath, [
		...[inRepository('scripts/train-wordpiece.mjs'), '--output', vocabulary],
		...['--vocab-size', String(chosen.vocabulary), '--alphabet', '160', '--max-length', '256'],
		words,
	]);
	const pieces = await teacherVectors(teacher, await piecesOf(vocabulary), work);
	const student = join(work, 'student');
	await writeStudent(student, {vocabulary, pieces, seed: shared.seed, shape: chosen});
	return student;
}

/** What the vocabulary is made of: each page and each pair once, without the sentences of a page. */
function linesForWords(texts, {pages, inference}) {
	const groups = [
		...pages.map(({paragraph, questions}) => [paragraph, ...questions]),
		...inference,
	];
	const lines = groups.map(group => JSON.stringify({texts: group.map(text => texts[text])}));
	return `${lines.join('\n')}\n`;
}

/** A stage from the model in `folder` on, with what it made of the held-out texts. */
async function trained(folder, stage, source) {
	const {name, passes, weights, temperature, ...options} = stage;
	const {work, texts, teacher, held} = source;
	const model = await EmbeddingModel.load(folder);
	const random = uniforms(options.seed);
	const {batchSize} = options;
	const pairs = orderedPairs(source.trained, {teacher, passes, batchSize, random});
	const records = pairs.map(({query, positive}, label) => ({
		query: texts[query],
		positive: texts[positive],
		label,
	}));
	const before = await measureHeldOut(model, {held, texts, teacher});
	console.error(name, 'before', before);
	const run = await train(model, {
		...options,
		data: records,
		loss: distil({teacher, pairs, weights, temperature}),
		...(work && {output: join(work, name), resume: true, saveSteps: 25}),
		onStep: told(),
		onMessage: console.error,
	});
	const after = await measureHeldOut(model, {held, texts, teacher});
	console.error(name, 'after', after);
	await model.dispose();
	return {...run, stage, before, after};
}

function told() {
	let sum = 0;
	return ({step, loss, tokensPerSecond}) => {
		sum += loss;
		if (step % 10 > 0) return;
		console.error(`step ${step}: loss ${(sum / 10).toFixed(4)}, ${tokensPerSecond | 0} tokens/s`);
		sum = 0;
	};
}

await main();
