// What a model reaches on the evaluation sets, for its card; read once, when the model is done.

import {readFile, writeFile} from 'node:fs/promises';
import {join, relative} from 'node:path';
import {EmbeddingModel, evaluate} from '../../dist/index.js';

const retrieval = ['squad/eval', 'medquad/eval', 'scifact', 'cranfield'];
const sts = ['sts/dev.jsonl', 'sts/sick/dev.jsonl'];

/** The rows of the card's table: set, metric, this model's figure, the teacher's, their ratio. */
export async function figures(folder, {teacher, data, work}) {
	const teachers = await teacherFigures({teacher, data, work});
	return (await measured(folder, data)).map(([name, metric, value], n) => {
		const theirs = teachers[n][2];
		const share = `${((100 * value) / theirs).toFixed(1)} %`;
		return [name, metric, value.toFixed(3), theirs.toFixed(3), share];
	});
}

/** The teacher's figures, kept in a file named by its weights, for they take minutes. */
async function teacherFigures({teacher, data, work}) {
	const model = await EmbeddingModel.load(teacher);
	const cache = join(work, `teacher-figures-${model.fingerprint.slice(0, 16)}.json`);
	await model.dispose();
	const kept = await readFile(cache, 'utf8').catch(() => undefined);
	if (kept !== undefined) return JSON.parse(kept);
	const rows = await measured(teacher, data);
	await writeFile(cache, JSON.stringify(rows));
	return rows;
}

async function measured(folder, data) {
	const model = await EmbeddingModel.load(folder);
	const inData = name => join(data, name);
	const {results} = await evaluate(model, {
		retrieval: retrieval.map(inData),
		sts: sts.map(inData),
	});
	await model.dispose();
	return results.map(({name, task, metrics}) => {
		const [key, metric] = task === 'sts' ? ['spearman_cosine', 'Spearman'] : ['ndcg@10', 'nDCG@10'];
		return [relative(data, name), metric, metrics[key]];
	});
}
