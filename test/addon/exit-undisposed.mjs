// Ends without dispose(): by itself once what is under way is done, or, given a number, by process.exit
// after so many milliseconds of it.

import {EmbeddingModel} from '../../dist/index.js';

const [work, delay] = process.argv.slice(2);
const model = await EmbeddingModel.load('builtin', {threads: 2});
const vector = await model.embed('a text');
console.log(vector.length);
if (work === 'busy') {
	const texts = Array.from({length: 300}, (_, n) => `a text ${'of many words '.repeat(30)}${n}`);
	model.encode(texts).then(({rows}) => console.log(rows));
}
if (delay !== undefined) setTimeout(() => process.exit(0), Number(delay));
