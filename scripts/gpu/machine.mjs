// What the parts find on this machine: the card, programs, and how those are run.

import {spawn} from 'node:child_process';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {root} from '../freshness.mjs';

/** Something a part needs is not here: the part is said not to have run. */
export class Missing extends Error {
	isMissing = true;
}

const emulatedPath = join(root, 'out/emulated/Release/inbatch.node');

/** The first usable card, with the name that tests give it; a trial has the emulated one. */
export async function cardHere({trial}) {
	if (trial) {
		process.env.INBATCH_NATIVE = emulatedPath;
		process.env.EMULATOR_UNCHECKED = '1';
		process.env.EMULATOR_MEMORY ??= String(2 ** 26);
	}
	const {devices, findCards} = await import('../../dist/device.js');
	await findCards();
	const found = devices().filter(({name}) => name.startsWith('cuda'));
	const card = found.find(({available}) => available);
	if (!card) throw new Missing(found.map(({reason}) => reason).join('; '));
	return {...card, testName: trial ? 'the emulated card' : card.card};
}

/** The device of that card. */
export async function openCard(settings) {
	const {name} = await cardHere(settings);
	const {openDevice} = await import('../../dist/device.js');
	return openDevice({device: name});
}

/** The environment of tests that shall use a real card and no emulated one. */
export function testEnvironment({trial}) {
	return trial ? process.env : {...process.env, EMULATOR: 'off'};
}

/** Runs a program to its end: its code and all that it said. A program that is not here is Missing. */
export function outcomeOf(program, args, {env = process.env} = {}) {
	const child = spawn(program, args, {cwd: root, env});
	const said = {stdout: '', stderr: ''};
	for (const name of ['stdout', 'stderr']) {
		child[name].setEncoding('utf8').on('data', text => {
			said[name] += text;
		});
	}
	return new Promise((done, fail) => {
		child.on('error', () => fail(new Missing(`expected ${program}, found none`)));
		child.on('close', code => done({code, ...said}));
	});
}

/** work(item) for all, `width` at a time. */
export async function atOnce(items, width, work) {
	let next = 0;
	const turn = async () => {
		for (let at = next++; at < items.length; at = next++) await work(items[at]);
	};
	await Promise.all(Array.from({length: width}, turn));
}

/** The file that starts vitest. */
export function vitest() {
	const require = createRequire(join(root, 'package.json'));
	return join(require.resolve('vitest/package.json'), '../vitest.mjs');
}
