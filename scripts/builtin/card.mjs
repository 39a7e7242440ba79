// The card of the embedded model: what it is, how it was made, what was tried, what it reaches.

/** Students after 100 steps of the first stage: nDCG@10, Spearman with the teacher, megabytes in f16. */
const shapesTried = [
	['3 blocks of width 192, 12000 pieces', '0.723', '0.832', '7.8'],
	['3 blocks of width 224, 8000 pieces: a fifth slower', '0.715', '0.822', '7.7'],
	['3 blocks of width 192, 10000 pieces', '0.705', '0.823', '6.9'],
	['4 blocks of width 160, 12000 pieces', '0.676', '0.809', '6.8'],
];

/** What trials of the second stage made of the texts held out: nDCG@10, Spearman with the teacher. */
const tried = [
	['the first stage as it is', '0.826', '0.919'],
	['1 : 10 : 0 : 0, rate 0.001: the loss of the first stage', '0.828', '0.922'],
	['1 : 10 : 0.3 : 0, rate 0.001', '0.836', '0.931'],
	['1 : 10 : 0.3 : 0.3, rate 0.001', '0.838', '0.927'],
	['1 : 10 : 0.3 : 0.3, rate 0.0005', '0.845', '0.930'],
	['1 : 10 : 0.3 : 0.1, rate 0.001, cosines by 0.1', '0.841', '0.929'],
	['1 : 10 : 1 : 0.3, rate 0.001', '0.834', '0.929'],
	['1 : 10 : 1 : 1, rate 0.001', '0.831', '0.925'],
	['1 : 10 : 1 : 0.3, rate 0.002', '0.813', '0.917'],
	['1 : 10 : 1 : 0.3, rate 0.001, a fourth block that adds nothing at first', '0.831', '0.928'],
	['the teacher', '0.903', '1'],
];

/** `runs` are those of the stages, `texts` how many there were, `rows` the evaluation's figures, `config` the model's. */
export function cardOf({runs, texts, rows, bytes, config}) {
	const {hidden_size: width, num_hidden_layers: blocks, num_attention_heads: heads} = config;
	const {before} = runs.find(run => run.stage.weights.order > 0);
	const {after, stage} = runs.at(-1);
	return `---
license: apache-2.0
language: en
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- sentence-similarity
- inbatch
---

# The embedded model

A small English BERT for text embeddings of 384 dimensions: ${blocks} blocks of width ${width}, ${heads} heads, ${config.vocab_size}
pieces, mean pooling, a linear layer to 384, unit length, texts of up to 256 tokens. It is here so
that a first run, a test or a demonstration needs no download; \`--model builtin\` and
\`EmbeddingModel.load('builtin')\` open it. Larger models are better.

It was made with this package alone, by \`scripts/make-builtin.mjs\`, out of
[all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2) (Apache-2.0), its
teacher: its own WordPiece vocabulary; token embeddings that begin as the teacher's vectors of the
pieces, cut to ${width} main directions; then distillation in three stages (\`scripts/builtin/distil.mjs\`):

1. it learns to give the teacher's vectors, and its similarities within a batch;
2. beside these it learns to rank the texts of a batch as the teacher does, by the cross-entropy of two
   softmaxes, and to find the paragraph of a question among those of the batch. A batch holds texts of
   a few topics, which are hard to tell apart;
3. the same over other batches, while the rate falls to nothing.

## Data

${texts} distinct English texts, and the teacher's vectors of them:

| texts | from | licence |
|---|---|---|
| questions, paragraphs and their sentences | SQuAD 1.1, a part of the training split | CC BY-SA 4.0 |
| questions, answers and their sentences | MedQuAD, the training part | CC BY 4.0 |
| sentence pairs, without their labels | SNLI, development split | CC BY-SA 4.0 |

The texts served for training only; none of them is in this folder. No text of an evaluation set below
was trained on (case and punctuation aside). Single sentences were: pages of MedQuAD repeat one another, and
265 of the 964 documents of its evaluation part have such a sentence in common with the training part
(103 half of theirs or more), of SQuAD seven sentences; so medquad/eval flatters. Nothing was chosen by an
evaluation set: choices were made by training texts held out of all stages, the pages of 20 topics with
their questions and 900 sentence pairs.

## Training

${runs.map((run, n) => `${n + 1}. ${runText(run)}`).join('\n')}

On what was held out the last two raised nDCG@10 from ${fixed(before.ndcg)} to ${fixed(after.ndcg)} (the
teacher's is ${fixed(after.teacherNdcg)}), and the rank correlation with the teacher's cosines from ${fixed(before.spearman)}
to ${fixed(after.spearman)}. All with AdamW in f32, on two cores of a server CPU shared with other work, after the
teacher's vectors (15 minutes on cores of their own).

## What was tried

Students of several shapes, each at most 8 MB, learned for 100 steps of the first stage (a whole schedule of
its own, 0.9 million tokens) and were judged on what was held out. A larger vocabulary, for words that it
would else spell, brought more than width or depth:

| student | nDCG@10 | Spearman with the teacher | MB |
|---|---|---|---|
${shapesTried.map(rowText).join('\n')}

The objective was tried on the first stage of an earlier making, of 10000 pieces: 50 steps of the second
stage over a part of the pages, cut at 160 tokens, judged on what was held out of that part. The loss has four parts, weighed as near : apart : order : found; cosines are
divided by 0.05 but where another number is given. The stages are between the best of these:
${weightsText(stage)}, rates as above.

| what | nDCG@10 | Spearman with the teacher |
|---|---|---|
${tried.map(rowText).join('\n')}

A fourth block costs a third more time and gained nothing in so few steps. Cutting the teacher itself was
looked at before training: of its six blocks two (the first and the last) keep a correlation of 0.27
with its cosines, three (the first and the last two) 0.65, and its token table cut to 128 directions
loses 40 % of what the blocks read; so the student's own start was kept.

## Figures

Measured once, on the files of this folder (${(bytes / 1e6).toFixed(2)} MB in all, weights in f16), with
\`inbatch evaluate\`.

| set | metric | this model | its teacher | share |
|---|---|---|---|---|
${rows.map(rowText).join('\n')}

squad/eval and medquad/eval hold texts of the kinds that it was trained on, scifact and cranfield do not:
of such it knows fewer words and less than its teacher.

It knows little of the world and nothing of languages other than English.
`;
}

function runText({stage, steps, seconds, tokensPerSecond}) {
	const tokens = ((tokensPerSecond * seconds) / 1e6).toFixed(1);
	const {batchSize, learningRate} = stage;
	const size = `${steps} steps of ${batchSize} pairs, ${tokens} million tokens`;
	return `${size}, largest rate ${learningRate}, ${minutes(seconds)}`;
}

function weightsText({weights, temperature}) {
	return `${Object.values(weights).join(' : ')}, cosines by ${temperature}`;
}

const rowText = cells => `| ${cells.join(' | ')} |`;
const fixed = value => value.toFixed(3);
const minutes = seconds => `${Math.round(seconds / 60)} minutes`;
