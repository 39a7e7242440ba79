// The runs of quality.mjs: what each trains on, with which options, and what sentence-transformers trains beside.
//
// `flags` are those of `inbatch train` beside the common ones, `peer` the loss of peers/quality.py.

import {pairs, scoredPairs, siblings, texts, withNegatives, withTeacher} from './quality-data.mjs';

const masked = async seed => withNegatives('squad', siblings(192, seed), 1);

const mask = (name, flags, peer) => ({
	name: `squad mask ${name}`,
	what: 'four questions a paragraph, BM25 negatives',
	rows: masked,
	dropout: 0,
	learningRate: 1e-4,
	evaluation: 'squad',
	flags,
	peer,
});

const distilled = {model: 'student', learningRate: 1e-4};

const scored = {
	what: 'CoSENT on STS',
	rows: seed => scoredPairs(960, seed),
	learningRate: 2e-5,
	evaluation: 'sts',
	flags: '--loss cosent',
	peer: {loss: 'cosent'},
};

const stella = {
	...distilled,
	what: 'vectors of the teacher into its every other block',
	rows: seed => texts(2048, seed),
	batchSize: 64,
	evaluation: 'sts',
	flags: '--loss distillvectors --teacher-vectors {teacher}',
	peer: {loss: 'stella', options: {teacher: '{teacher}'}},
	vectors: true,
};

const asked = {
	what: 'InfoNCE',
	rows: seed => pairs('medquad', 384, seed),
	evaluation: 'medquad',
	flags: '--loss infonce',
	peer: {loss: 'infonce'},
};

/** The dropout of both sides is that of the model, but other bits; without it both compute the same. */
export const runs = [
	{...scored, name: 'sts cosent', seeds: [1, 2]},
	{...scored, name: 'sts cosent without dropout', dropout: 0},
	{...stella, name: 'stella', seeds: [1, 2]},
	{...stella, name: 'stella without dropout', dropout: 0},
	{...asked, name: 'medquad infonce', seeds: [1, 2, 3, 4, 5]},
	{...asked, name: 'medquad infonce without dropout', dropout: 0},
	{
		name: 'squad infonce',
		what: 'InfoNCE',
		rows: seed => pairs('squad', 320, seed),
		evaluation: 'squad',
		flags: '--loss infonce',
		peer: {loss: 'infonce'},
	},
	{
		name: 'medquad hard',
		what: 'InfoNCE, a BM25 negative a row',
		rows: async seed => withNegatives('medquad', pairs('medquad', 256, seed), 1),
		evaluation: 'medquad',
		flags: '--loss infonce',
		peer: {loss: 'infonce'},
	},
	mask('none', '--loss infonce', {loss: 'infonce'}),
	mask('same-text', '--loss infonce --mask same-text', {
		...{loss: 'masked', options: {mask: 'same-text'}},
	}),
	mask('guide', '--loss infonce --mask guide --mask-margin 0.05 --guide {base}', {
		...{loss: 'guide', options: {guide: '{base}', margin: 0.05}},
	}),
	mask('margin', '--loss infonce --mask margin --mask-margin 0.05', {
		...{loss: 'masked', options: {mask: 'margin', margin: 0.05}},
	}),
	{
		...distilled,
		name: 'list-wise',
		what: "the teacher's scores of four documents into its every other block",
		rows: async (seed, {teacher}) =>
			withTeacher(await withNegatives('squad', pairs('squad', 256, seed), 3), teacher, 64),
		evaluation: 'squad',
		flags: '--loss distill --loss-option method=stable --temperature 0.05',
		peer: {loss: 'stable', options: {temperature: 0.05}},
	},
	{
		name: 'matryoshka',
		what: 'InfoNCE at three widths',
		rows: seed => pairs('medquad', 384, seed),
		evaluation: 'medquad',
		widths: [384, 128, 32],
		flags: '--loss infonce --dimensions-nested 384,128,32',
		peer: {loss: 'matryoshka', options: {widths: [384, 128, 32]}},
	},
];
