import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, onTestFinished, test} from 'vitest';
import {readTokenizerFiles} from '../../dist/tokenizer/files.js';
import {Tokenizer} from '../../dist/tokenizer/tokenizer.js';
import {train} from '../../dist/train/train.js';
import {hashesOf, loadTiny} from './tiny.js';

const families = join(import.meta.dirname, '..', 'fixtures', 'families');
const kinds = readdirSync(families).filter(
	name => !name.includes('.') && name !== 'make' && name !== 'README.md',
);
const long = 'the symptom of the union is a service of the company '.repeat(40);

describe.each(kinds)('the tokenizer of %s', kind => {
	test.each(['right', 'left'] as const)(
		'keeps its special tokens around a text that is cut on the %s',
		async truncationSide => {
			const tokenizer = await Tokenizer.open(await readTokenizerFiles(join(families, kind)));
			onTestFinished(() => tokenizer.dispose());
			const idsOf = async (options: object) => [
				...(await tokenizer.encode([long], {maxLength: 2 ** 20, ...options})).ids,
			];
			const bare = await idsOf({addSpecialTokens: false});
			const whole = await idsOf({});
			const begin = whole.findIndex((_, at) => bare.every((id, n) => whole[at + n] === id));
			const prefix = whole.slice(0, begin);
			const suffix = whole.slice(begin + bare.length);
			const maxLength = 24;
			const room = maxLength - prefix.length - suffix.length;
			const kept = truncationSide === 'right' ? bare.slice(0, room) : bare.slice(-room);
			expect(begin).toBeGreaterThanOrEqual(0);
			expect(await idsOf({maxLength, truncationSide})).toEqual([...prefix, ...kept, ...suffix]);
		},
	);
});

test.each([
	['right', ['sign of age', 'union is the']],
	['left', ['the company', 'service of a']],
] as const)('Training cuts texts on the %s, and its special tokens stay', async (side, parts) => {
	const [query, positive] = parts;
	const cut = [
		{query, positive, negatives: []},
		{query: 'age', positive: 'a', negatives: []},
	];
	const whole = [
		{query: 'sign of age of the company', positive: 'union is the service of a', negatives: []},
		{query: 'age', positive: 'a', negatives: []},
	];
	const trainedOn = async (data: object[], lengths: object) => {
		const model = await loadTiny({truncationSide: side});
		await train(model, {data, batchSize: 2, learningRate: 1e-3, ...lengths});
		return hashesOf(model);
	};
	const {tokenizer} = await loadTiny();
	const countOf = async (text: string) =>
		(await tokenizer.encode([text], {maxLength: 100})).ids.length;
	const lengths = {
		queryMaxLength: await countOf(query),
		documentMaxLength: await countOf(positive),
	};
	const reference = await trainedOn(cut, {});
	expect(await trainedOn(whole, lengths)).toEqual(reference);
	expect(await trainedOn(whole, {})).not.toEqual(reference);
});
