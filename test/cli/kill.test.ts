// kill -9 at moments that nobody chose, then --resume, until the run comes to its end: the same bits as the
// run that nobody killed. Every way of choosing rows, everything that keeps something from step to step, and
// every optimizer stand in the table.

import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {type Random, uniforms} from '../support/matrix.js';
import {filesIn, hashOf, lines, metricsIn, rowsOf, timeless} from '../train/tiny.js';
import {bert, type Ended, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const put = (name: string, records: readonly object[]) => {
	const path = join(folder, name);
	writeFileSync(path, lines(records));
	return path;
};

/** Records with two positives, two or three negatives, scores of a teacher, and a class. */
const records = rowsOf(30).map(({query, positive}, row) => {
	const neg = ['not', 'no', 'never'].slice(row % 2).map(word => `${word} a ${positive}`);
	const scores = [0, 1, 2, 3, 4].slice(0, 2 + neg.length).map(n => ((row + 3 * n) % 7) / 7);
	const pos = [positive, `it is ${positive}`];
	return {query, pos, neg, teacher_scores: scores, label: row % 3};
});
const large = put('large.jsonl', records.slice(0, 20));
const small = put('small.jsonl', records.slice(20));
const classes = put(
	'classes.jsonl',
	records.map(({query, label}) => ({text: query, label})),
);
const scored = put(
	'scored.jsonl',
	records.map(({query, pos}, row) => ({sentence1: query, sentence2: pos[0], score: row % 6})),
);

const pairs = `--data large=${large} small=${small}`;
const labelled = `--data ${classes} --loss arcface --loss-option classes=3`;
const evaluated = `--eval sts=${scored} --eval-steps 2`;

/** How rows are chosen, what is kept beside the weights, and the optimizer. */
const table = [
	[`${pairs} --order file`, '--queue 12', 'adamw8'],
	[`${pairs} --allow-duplicates`, '--learn-temperature', 'adam'],
	[`${pairs} --mixing weighted --weight large=1 --weight small=2`, '--queue 5 --ema 0.7', 'lion'],
	[`${pairs} --mixing temperature --mixing-temperature 2`, '--learn-temperature', 'adafactor'],
	[`${pairs} --mixing round-robin`, '--average-from 0.3 --average-every 2', 'adamw'],
	[`${pairs} --mixing homogeneous --homogeneous epoch`, '--adversarial fgm', 'adafactor'],
	[`${pairs} --mixing homogeneous --homogeneous epoch-static`, '--adversarial pgd', 'lion'],
	[`${pairs} --mixing homogeneous --homogeneous epoch-random`, '--adversarial awp', 'adam'],
	[`${pairs} --mixing homogeneous --homogeneous random`, '--r-drop 2 --learn-temperature', 'adamw'],
	[
		`${pairs} --positives random --negatives 3 --negative-choice random --on-shortage tile`,
		`${evaluated} --patience 5 --min-delta 9`,
		'adamw8',
	],
	[
		`${pairs} --negatives 3 --negative-choice random --resample once --on-shortage drop`,
		'--queue 12 --learn-temperature --ema 0.9 --adversarial fgm',
		'adamw8',
	],
	[`${pairs} --positives each --max-rows 8 --max-rows-choice random`, '--pooling gem', 'lion'],
	[
		`${pairs} --positives teacher --negatives 2 --negative-choice teacherTop --on-shortage replace`,
		`${evaluated} --keep-best 2 --save-best --ema 0.8`,
		'adafactor',
	],
	[
		`${pairs} --negatives 2 --negative-choice teacherBottom --teacher-min 0.3 --drop-last`,
		'--mask margin --suspects',
		'adam',
	],
	[
		`${pairs} --accumulate 2 --accumulation separate --schedule cosine --restarts 1`,
		'--queue 7 --dense 24 --average-from 0',
		'adamw',
	],
	[`${pairs} --positives all`, '--towers separate', 'adafactor'],
	[labelled, '--loss-option margin=0.1,0.2,0.3 --ema 0.8', 'adamw8'],
	[`${labelled} --order file`, '--loss-option margin=0.4,0.1 --adversarial awp', 'lion'],
	[labelled, '--loss-option margin=0.4,0.1 --average-from 0.2', 'adafactor'],
	[`--data ${classes} --loss softmax`, '--loss-option classes=3 --r-drop 1', 'adam'],
	[
		`${pairs} --mixing round-robin --order file --negatives 0`,
		'--loss-for small=softmax --loss-option small.classes=3 --loss-option small.row=pair',
		'adamw',
	],
] as const;

function commandOf(row: (typeof table)[number], output: string, more = ''): string[] {
	const [rows, state, optimizer] = row;
	const pooling = state.includes('--pooling') ? '' : '--pooling mean';
	const words = [
		`train --model ${bert} ${pooling} ${rows} ${state} --optimizer ${optimizer} --output ${output}`,
		`--batch-size 4 --steps 18 --learning-rate 1e-3 --dropout 0.1 --save-steps 3`,
		'--seed 5 --json --no-report',
		more,
	];
	return words.flatMap(part => part.split(' ').filter(word => word !== ''));
}

const nameOf = (row: (typeof table)[number]) =>
	row
		.join(' ')
		.replace(/--data( \S+=?\S+)+? (?=--)|(?<=--eval )\S+/g, '…')
		.trim();

/** Steps in the log of a run; none before the first. */
function stepsOf(output: string): number {
	const path = join(output, 'metrics.jsonl');
	return existsSync(path) ? readFileSync(path, 'utf8').split('"learningRate"').length - 1 : 0;
}

/** Every file of a run, and of those of tensors and records the SHA-256. */
function hashesIn(output: string): (string | undefined)[][] {
	const isExact = (name: string) => /\.safetensors$|suspects\.jsonl$/.test(name);
	return filesIn(output).map(name => [
		name,
		isExact(name) ? hashOf(join(output, name)) : undefined,
	]);
}

/** Runs the command and kills it when it has logged four to eight steps more, and a moment later. */
async function killed(args: string[], output: string, random: Random): Promise<Ended> {
	const until = stepsOf(output) + 4 + Math.floor(5 * random());
	const moment = 25 * random();
	let watch: NodeJS.Timeout | undefined;
	const ended = await inbatch(args, {
		onStart(child) {
			watch = setInterval(() => {
				if (stepsOf(output) < until) return;
				clearInterval(watch);
				setTimeout(() => child.kill('SIGKILL'), moment);
			}, 2);
		},
	});
	clearInterval(watch);
	return ended;
}

describe.concurrent('a run that is killed ends in the same bits:', {timeout: 300_000}, () => {
	test.for(table.map(row => [nameOf(row), row] as const))('%s', async ([, row]) => {
		const at = join(folder, `${table.indexOf(row)}`);
		const [whole, broken] = [`${at}-whole`, `${at}-broken`];
		const random = uniforms(1 + table.indexOf(row));
		const uncut = await inbatch(commandOf(row, whole, '--threads 1'));
		expect([uncut.code, uncut.stderr]).toEqual([0, expect.any(String)]);
		expect((await killed(commandOf(row, broken), broken, random)).signal).toBe('SIGKILL');
		const again = commandOf(row, broken, '--resume');
		await killed(again, broken, random);
		const {stdout} = await inbatch(again);
		expect(JSON.parse(stdout).resumedFrom).toBeGreaterThan(2);
		expect(hashesIn(broken)).toEqual(hashesIn(whole));
		expect(timeless(metricsIn(broken))).toEqual(timeless(metricsIn(whole)));
	});
});
