// How fast is it beside PyTorch on the same card in the same minutes? Candidates take turns; a row has the
// medians of both, and ours as a share of what the card was measured to do: products of bf16 (matrix), or
// bytes copied (bytes).

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {native} from '../../dist/native.js';
import {cardHere, openCard} from './machine.mjs';
import {modelQuestions} from './models.mjs';
import {openPeers} from './peers.mjs';
import {operationQuestions} from './questions.mjs';

const rounds = 7;

export async function tables(settings) {
	const {card} = await cardHere(settings);
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-tables-'));
	const device = await openCard(settings);
	const peers = await openPeers(settings, folder);
	const rows = [];
	const left = [];
	const {ceilings, versions} = peers;
	const keep = () => settings.keep({card, versions, ceilings, peerError: peers.reason, rows, left});
	keep();
	const context = {...settings, device, folder, isTrial: settings.trial};
	for (const question of [...operationQuestions(context), ...modelQuestions(context)]) {
		try {
			rows.push(await answer(question, {device, peers, trial: settings.trial}));
		} catch (error) {
			left.push({title: question.title, reason: String(error.message).slice(0, 500)});
		}
		keep();
	}
	peers.close();
	rmSync(folder, {recursive: true});
	return {passed: left.length === 0 && !peers.reason, rows, left};
}

async function answer(question, {device, peers, trial}) {
	const {title, peer, make, memory, flops = 0, bytes = 0, goal, schedules = []} = question;
	// The peer first: it writes the folders of models.
	const offered = await peers.make(peer);
	const {run, dispose} = await make();
	try {
		const own = timesOf(run, device.native);
		const candidates = [
			{name: 'inbatch', run: own},
			...schedules.map(name => ({name: `inbatch, ${name}`, run: scheduled(own, name)})),
			...offered.names.map((name, n) => ({name, run: repeat => peers.run(n, repeat)})),
		];
		const medians = await inTurns(candidates, trial);
		const ours = medians.inbatch;
		const {matrix, copy} = peers.ceilings;
		const best = Math.min(...offered.names.map(name => medians[name].median));
		return {
			title,
			seconds: medians,
			...(offered.names.length > 0 && {timesThePeer: best / ours.median}),
			...(goal && {goal}),
			...(flops > 0 && {tflops: flops / ours.median / 1e12}),
			...(flops > 0 && matrix && {shareOfMatrix: flops / ours.median / matrix}),
			...(bytes > 0 && {gigabytesPerSecond: bytes / ours.median / 1e9}),
			...(bytes > 0 && copy && {shareOfCopy: bytes / ours.median / copy}),
			...(memory && {bytesBeyondInputs: await memory()}),
			...(offered.errors.length > 0 && {peersLeftOut: offered.errors}),
		};
	} finally {
		dispose?.();
	}
}

/** Seconds of one run: so many in a row, then the card is waited for. A run may tell its own. */
function timesOf(run, native) {
	return async repeat => {
		await native.synchronize();
		const begun = performance.now();
		let told = 0;
		for (let n = 0; n < repeat; n++) {
			const seconds = await run();
			if (typeof seconds === 'number') told += seconds;
		}
		await native.synchronize();
		return (told || (performance.now() - begun) / 1000) / repeat;
	};
}

/** The same with products cut in one way only: what the choice between them is worth. */
function scheduled(run, name) {
	return async repeat => {
		native().useSchedule(name);
		try {
			return await run(repeat);
		} finally {
			native().useSchedule('cheapest');
		}
	};
}

async function inTurns(candidates, trial) {
	const states = [];
	for (const candidate of candidates) {
		await candidate.run(1);
		const once = await candidate.run(1);
		// Some 30 ms a turn: the wait at its end is then no part of the answer.
		const repeat = trial ? 1 : Math.max(1, Math.min(200, Math.round(0.03 / once)));
		states.push({...candidate, repeat, times: []});
	}
	const turns = trial ? 1 : rounds;
	for (let turn = 0; turn < turns; turn++) {
		for (const {run, repeat, times} of states) times.push(await run(repeat));
	}
	return Object.fromEntries(
		states.map(({name, times, repeat}) => {
			const sorted = times.toSorted((a, b) => a - b);
			return [
				name,
				{median: sorted[sorted.length >> 1], best: sorted[0], of: times.length, repeat},
			];
		}),
	);
}
