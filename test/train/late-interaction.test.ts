// Training of late interaction: it learns, what it writes is a model of token vectors, and a run that
// was stopped ends in the same bits.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {lateInteraction, maxSim} from '../../dist/index.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {filesIn, hashOf, loadTiny, metricsIn, quick, rowsOf, stoppingAt} from './tiny.js';

const {folder, put} = temporaryFolder();
const loss = lateInteraction({temperature: 0.5});
const at = (name: string) => join(folder, name);

test('raises the score of a query and its own document, and is saved as it is', async () => {
	const model = await loadTiny({dense: 12});
	const rows = rowsOf(8);
	const gap = async () => {
		const queries = await model.encodeTokens(rows.map(({query}) => query));
		const documents = await model.encodeTokens(rows.map(({positive}) => positive));
		const scores = await maxSim(queries, documents);
		const own = rows.reduce((sum, _, n) => sum + scores[n * rows.length + n]!, 0) / rows.length;
		return own - scores.reduce((sum, score) => sum + score, 0) / scores.length;
	};
	const before = await gap();
	const messages: string[] = [];
	const options = {data: rows, batchSize: 8, learningRate: 1e-3, dropout: 0, steps: 30};
	const onMessage = (message: string) => void messages.push(message);
	await train(model, {...options, loss, output: at('learned'), onMessage});
	expect(await gap()).toBeGreaterThan(before + 0.5);
	expect(messages.join()).toMatch(/pooling \(mean\) is left out; .* from version 6 on/);
	const losses = metricsIn(at('learned')).map(line => line['loss']!);
	expect(losses.at(-1)).toBeLessThan(0.3 * losses[0]!);
	expect(metricsIn(at('learned'))[0]).toMatchObject({candidates: 12, temperature: 0.5});

	const again = await loadTiny({path: at('learned'), pooling: undefined, normalize: undefined});
	const texts = ['the symptom', ''];
	expect(await again.encodeTokens(texts)).toEqual(await model.encodeTokens(texts));
	const modules = JSON.parse(readFileSync(join(at('learned'), 'modules.json'), 'utf8')) as object[];
	expect(modules).toHaveLength(4);
	const card = readFileSync(join(at('learned'), 'README.md'), 'utf8');
	expect(card).toMatch(/Token vectors of 12 dimensions.*import MultiVectorEncoder.*Note: /s);
	expect(filesIn(at('learned')).some(file => file.includes('Pooling'))).toBe(false);
});

test('a stopped run goes on to the same bits', async () => {
	const options = {...quick, loss, saveSteps: 1};
	await train(await loadTiny(), {...options, output: at('whole')});
	const halfway = train(await loadTiny(), {...options, output: at('stopped'), ...stoppingAt(2)});
	await expect(halfway).rejects.toThrow('stopped at 2');
	await train(await loadTiny(), {...options, output: at('stopped'), resume: true});
	const weights = 'model.safetensors';
	expect(hashOf(join(at('stopped'), weights))).toBe(hashOf(join(at('whole'), weights)));
});

test('a model of token vectors is trained on, but by no loss of one vector a text', async () => {
	await train(await loadTiny(), {...quick, loss, steps: 1, output: at('first')});
	const model = () => loadTiny({path: at('first'), pooling: undefined, normalize: undefined});
	await train(await model(), {...quick, loss, steps: 1, output: at('second')});
	await expect(train(await model(), {...quick, steps: 1})).rejects.toMatchObject({
		code: 'OPTION_CONFLICT',
		message: expect.stringContaining('use late-interaction'),
	});
});

test('held-out rows are measured by the loss', async () => {
	const evalLoss = {held: rowsOf(8)};
	const {evaluation} = await train(await loadTiny(), {...quick, loss, steps: 2, evalLoss});
	expect(evaluation.before['held']).toEqual({loss: expect.any(Number)});
	expect(evaluation.after['held']!['loss']).not.toBe(evaluation.before['held']!['loss']);
});

test('evaluations of one vector a text are refused before anything is written', async () => {
	const pairs = put('pairs.jsonl', '{"sentence1": "a", "sentence2": "b", "score": 1}\n');
	const run = train(await loadTiny(), {...quick, loss, eval: pairs, output: at('never')});
	await expect(run).rejects.toMatchObject({code: 'OPTION_CONFLICT'});
	const excluding = train(await loadTiny(), {...quick, loss, excludePrompt: true});
	await expect(excluding).rejects.toThrow('exclude-prompt: expected it with a pooling');
	expect(filesIn(folder).some(file => file.startsWith('never'))).toBe(false);
});
