// Trains in a process of its own, so that it can be killed. The first argument is JSON: the options of
// train(), `model` a folder, `threads`. Prints a line for each step and the result at the end.

import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {train} from '../../dist/train/train.js';

const {model: folder, threads, ...options} = JSON.parse(process.argv[2]);
const model = await EmbeddingModel.load(folder, {pooling: 'mean', normalize: true, threads});
const say = line => process.stdout.write(`${line}\n`);
try {
	const result = await train(model, {
		...options,
		onMessage: message => say(`message ${message}`),
		onStep: ({step}) => say(`step ${step}`),
	});
	say(`result ${JSON.stringify(result)}`);
} catch (error) {
	say(`error ${error.code} ${error.message}`);
	process.exitCode = 1;
}
await model.dispose();
