// Makes the embedded model (models/builtin) with the engine itself: a small BERT distilled from the
// vectors of a larger model. Needs the built package and the shared data:
//   node scripts/make-builtin.mjs --work FOLDER [--data FOLDER] [--teacher FOLDER] [--output FOLDER]
// The work folder keeps the vocabulary, the teacher's vectors, the student before training and the
// run, so that a second call goes on where the first was stopped. Evaluation data is read at the end
// only, for the figures of the card.

import {execFile} from 'node:child_process';
import {mkdir} from 'node:fs/promises';
import {join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs, promisify} from 'node:util';
import {EmbeddingModel, evaluate, train} from '../dist/index.js';
import {distil} from './builtin/distil.mjs';
import {readPairs, sourceFiles} from './builtin/pairs.mjs';
import {publish} from './builtin/publish.mjs';
import {piecesOf, writeStudent} from './builtin/student.mjs';
import {teacherVectors} from './builtin/teacher.mjs';

const inRepository = path => fileURLToPath(new URL(`../${path}`, import.meta.url));
const seed = 1;
const vocabularySize = 10000;

/** Set before the run, after trials of a few steps judged on training texts held out. */
const recipe = {
	epochs: 4,
	batchSize: 128,
	learningRate: 1e-3,
	schedule: 'cosine',
	warmupRatio: 0.06,
	weightDecay: 0.01,
	dropout: 0,
	chunkTokens: 16384,
	seed,
};

async function main() {
	const {values} = parseArgs({
		options: {
			data: {type: 'string', default: inRepository('../shared/data')},
			teacher: {type: 'string', default: inRepository('../shared/models/all-MiniLM-L6-v2')},
			work: {type: 'string'},
			output: {type: 'string', default: inRepository('models/builtin')},
		},
	});
	if (!values.work) throw new Error('--work: expected a folder for what takes long to make');
	const {data, teacher, work, output} = values;
	await mkdir(work, {recursive: true});
	const student = await initialStudent({data, teacher, work});
	const model = await EmbeddingModel.load(student);
	const run = await distilled(model, {data, teacher, work});
	await model.dispose();
	await publish(run.output, output, {
		run,
		recipe,
		figures: folder => figures(folder, {data, teacher}),
	});
}

async function initialStudent({data, teacher, work}) {
	const vocabulary = join(work, 'vocabulary');
	await promisify(execFile)(process.execPath, [
		...[inRepository('scripts/train-wordpiece.mjs'), '--output', vocabulary],
		...['--vocab-size', String(vocabularySize), '--alphabet', '160', '--max-length', '256'],
		...sourceFiles(data),
	]);
	const pieces = await teacherVectors(
		teacher,
		await piecesOf(vocabulary),
		join(work, 'pieces.npy'),
	);
	const student = join(work, 'student');
	await writeStudent(student, {vocabulary, pieces, seed});
	return student;
}

async function distilled(model, {data, teacher, work}) {
	const {texts, pairs} = await readPairs(data);
	const vectors = await teacherVectors(teacher, texts, join(work, 'teacher.npy'));
	const records = pairs.map(([query, positive], label) => ({
		query: texts[query],
		positive: texts[positive],
		label,
	}));
	const loss = distil({teacher: vectors, pairs});
	let sum = 0;
	const onStep = ({step, loss: value, tokensPerSecond}) => {
		sum += value;
		if (step % 50 > 0) return;
		console.error(`step ${step}: loss ${(sum / 50).toFixed(4)}, ${tokensPerSecond | 0} tokens/s`);
		sum = 0;
	};
	const output = join(work, 'run');
	const run = await train(model, {
		...recipe,
		data: records,
		loss,
		output,
		resume: true,
		onStep,
		onMessage: console.error,
	});
	return {...run, texts: texts.length, pairs: pairs.length};
}

/** The rows of the card's table: set, metric, this model's figure, the teacher's. */
async function figures(folder, {data, teacher}) {
	const [own, teachers] = [await measured(folder, data), await measured(teacher, data)];
	return own.map(({name, task, metrics}, n) => {
		const [key, metric] = task === 'sts' ? ['spearman_cosine', 'Spearman'] : ['ndcg@10', 'nDCG@10'];
		return [name, metric, metrics[key].toFixed(3), teachers[n].metrics[key].toFixed(3)];
	});
}

async function measured(folder, data) {
	const model = await EmbeddingModel.load(folder);
	const retrieval = ['squad/eval', 'medquad/eval', 'scifact'].map(name => join(data, name));
	const {results} = await evaluate(model, {retrieval, sts: join(data, 'sts/dev.jsonl')});
	await model.dispose();
	return results.map(result => ({...result, name: relative(data, result.name)}));
}

await main();
