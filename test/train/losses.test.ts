// Every loss of the list through the trainer: the same bits whole and in chunks, and for what a loss
// learns itself also for a run that was stopped and gone on with.

import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {losses} from '../../dist/loss/index.js';
import type {Loss} from '../../dist/loss/loss.js';
import {matryoshka} from '../../dist/loss/matryoshka.js';
import {rDrop} from '../../dist/loss/r-drop.js';
import {train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {numbersFor} from '../support/loss-cases.js';
import {normals, uniforms} from '../support/matrix.js';
import {hashesOf, hashOf, loadTiny, quick, rowsOf, stoppingAt, trained} from './tiny.js';

const {folder, put} = temporaryFolder();
const rows = 16;

/** Records that a loss can use, with numbers of the kind it needs. */
function recordsFor({needs = {}}: Loss): object[] {
	const {row = 'pair', negatives, label, scores} = needs;
	const uniform = uniforms(3);
	return rowsOf(rows).map(({query, positive}) => {
		const own = negatives === 'none' ? [] : [`this is not a ${positive}`];
		const [labelled] = label ? numbersFor(label, 1, uniform) : [];
		const scored = scores ? [...numbersFor(scores, 1 + own.length, uniform)] : [];
		const ofRow = scores?.of === 'row' ? {score: scored[0]} : {teacher_scores: scored};
		const texts = row === 'text' ? {text: query} : {query, pos: [positive], neg: own};
		return {...texts, ...(label && {label: labelled}), ...(scores && ofRow)};
	});
}

const random = normals(8);
const vectors = put(
	'teacher.f32',
	Buffer.from(Float32Array.from({length: rows * 64}, random).buffer),
);

const optionsFor = (loss: Loss) => ({
	...quick,
	...(loss.needs?.teacher && {teacherVectors: vectors}),
	data: recordsFor(loss),
	loss,
	warmupRatio: 0,
	...((loss.needs?.views ?? loss.needs?.passes) === 2 && {dropout: 0.1}),
});

async function bitsOf(options: Parameters<typeof trained>[0]) {
	const {model, losses} = await trained(options);
	return {losses, weights: await hashesOf(model)};
}

const all = [
	...Object.entries(losses).map(([name, make]) => [name, make()] as [string, Loss]),
	['nested infonce', matryoshka(losses.infonce(), {widths: [64, 16, 5]})] as [string, Loss],
];

/** Other forms of these, each with operations of its own. */
const variants: [string, Loss][] = [
	['GTE', losses.infonce({directions: ['qd', 'dq', 'qq', 'dd'], partition: 'joint'})],
	['NeMo exclusive', losses.infonce({candidates: ['inBatchPositives', 'ownHard'], clamp: [-1, 1]})],
	['own negatives', losses.infonce({candidates: ['ownHard'], labelSmoothing: 0.1})],
	['weighed negatives', losses.infonce({hardness: 5, hardnessOf: 'hard'})],
	['masks', losses.infonce({mask: ['same-text', 'same-query', 'known', 'other-set', 'margin']})],
	['the mask of a teacher', losses.infonce({mask: ['teacher']})],
	['a learned temperature', losses.infonce({learnTemperature: true})],
	['a queue', losses.infonce({queue: 10})],
	['two views', losses.ntxent({row: 'text'})],
	['Euclidean triplets', losses.triplet({form: 'euclidean'})],
	['all negatives of the batch', losses.triplet({form: 'logSigmoid'})],
	['all documents of the batch', losses.hinge({negatives: 'all'})],
	['Euclidean pairs', losses.contrastive({distance: 'euclidean', reduction: 'mean'})],
	['margins of a teacher', losses.marginmse({teacher: 'margins', similarity: 'dot'})],
	['scores over the batch', losses.klonscores({group: 'batch'})],
	['list-wise', losses.distill({method: 'stable', contrastiveWeight: 0.2})],
	['vectors at widths', losses.distillvectors({widths: [64, 16], mseWeight: 1})],
	['focal classes of pairs', losses.softmax({row: 'pair', form: 'focal'})],
	['dice', losses.softmax({form: 'dice'})],
	['nested classes', matryoshka(losses.arcface({margin: [0.2, 0.4]}), {widths: [64, 16]})],
	['late distillation', losses.lateinteraction({form: 'distill'})],
	['R-Drop of late interaction', rDrop(losses.lateinteraction())],
	['R-Drop of vectors', rDrop(losses.distillvectors())],
];

test.each([...all, ...variants])(
	'a run of %s has the same bits whole and in chunks',
	async (_, loss) => {
		const options = optionsFor(loss);
		const whole = await bitsOf(options);
		expect(whole.losses).toHaveLength(2);
		expect(whole.losses.every(Number.isFinite)).toBe(true);
		expect(await bitsOf({...options, chunkTokens: 40})).toEqual(whole);
	},
);

describe('what a loss learns', () => {
	const learning = all.filter(([, loss]) => (loss.parameters ?? []).length > 0);

	test.each(learning)('goes on where it was: %s', async (name, loss) => {
		const options = {...optionsFor(loss), saveSteps: 1, epochs: 2, keep: 4};
		const [whole, stopped] = [join(folder, name), join(folder, `${name}-stopped`)];
		await train(await loadTiny(), {...options, output: whole});
		const halfway = train(await loadTiny(), {...options, output: stopped, ...stoppingAt(2)});
		await expect(halfway).rejects.toThrow('stopped at 2');
		await train(await loadTiny(), {...options, output: stopped, resume: true});
		const moments = 'checkpoints/step-4/trainer/moments.safetensors';
		expect(hashOf(join(stopped, moments))).toBe(hashOf(join(whole, moments)));
		const first = join(whole, 'checkpoints/step-1/trainer/moments.safetensors');
		expect(hashOf(first)).not.toBe(hashOf(join(whole, moments)));
	});

	test.each(learning)('begins by the seed: %s', async (_, loss) => {
		const still = {...optionsFor(loss), order: 'file', dropout: 0} as const;
		const [first] = (await bitsOf({...still, seed: 1})).losses;
		expect((await bitsOf({...still, seed: 1})).losses[0]).toBe(first);
		expect((await bitsOf({...still, seed: 2})).losses[0]).not.toBe(first);
	});
});
