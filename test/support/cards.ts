// Every test of an op that has a kernel for cards runs on the emulated card too, and on a real one
// where there is one. A report of the emulator (a race, a deadlock, unwritten bytes) fails the read
// that follows, with its text.

import {afterAll, afterEach, beforeAll, beforeEach, describe, test} from 'vitest';
import {type NativeDevice, native} from '../../dist/native.js';
import {emulated, isEmulating} from './emulated.js';
import {onEveryPath} from './kernel-paths.js';
import type {Matrix} from './matrix.js';
import {newDevice} from './run-op.js';
import {expectSameBits} from './tolerance.js';

type TestDevice = {name: string; open: () => NativeDevice};

const emulatedCard: TestDevice = {
	name: 'the emulated card',
	open: () => new (emulated().Device)({card: 0}),
};

const usable = native()
	.cards()
	.list.flatMap(({name, reason}, card) => (reason === undefined ? [{name, card}] : []))
	.slice(0, 1);

export const cards: readonly TestDevice[] = [
	...(isEmulating ? [emulatedCard] : []),
	...usable.map(({name, card}) => ({name, open: () => new (native().Device)({card})})),
];

/** The CPU and the cards, for tests that have one body for all. */
export const devices: readonly TestDevice[] = [
	{name: 'the cpu', open: () => newDevice()},
	...cards,
];

/** The tests in `body`: once for each set of kernels of the CPU, once for each card. */
export function onEveryDevice(subject: string, body: (device: NativeDevice) => void): void {
	onEveryPath(subject, body);
	onEveryCard(subject, body);
}

export function onEveryCard(subject: string, body: (device: NativeDevice) => void): void {
	for (const {name, open} of cards) describe(`${subject} on ${name}`, () => body(open()));
	test.skipIf(usable.length === 0)(
		usable.length > 0
			? `${subject} has been on a card`
			: `${subject} on a card (skipped: this machine has none)`,
		() => {},
	);
}

/** That what `run` returns has the same bits however the threads of a card take turns. */
export function sameBitsOnCards(
	subject: string,
	run: (device: NativeDevice) => Promise<readonly Matrix[]>,
): void {
	describe.each(cards)(`${subject} on $name`, ({open}) => {
		const before = process.env.EMULATOR_SEED;
		beforeEach(() => seed('1'));
		afterEach(() => seed(before ?? '1'));

		test('gives the same bits again, in another order of things', async () => {
			const first = await run(open());
			for (const other of ['2', '3']) {
				seed(other);
				const again = await run(open());
				for (const [index, matrix] of first.entries()) expectSameBits(again[index]!, matrix);
			}
		});
	});
}

/** In a `describe`: that the emulated card is one of this compute capability, 80 or 90. */
export function useCapability(capability: string): void {
	const before = process.env.EMULATOR_CAPABILITY;
	beforeEach(() => {
		process.env.EMULATOR_CAPABILITY = capability;
	});
	afterEach(() => {
		process.env.EMULATOR_CAPABILITY = before ?? '90';
	});
}

/** In a `describe`: how products of 16 bits are cut on Hopper, `shared` or `turns`. */
export function useSchedule(name: string): void {
	const libraries = [native(), ...(isEmulating ? [emulated()] : [])];
	const use = (schedule: string) => {
		for (const library of libraries) library.useSchedule(schedule);
	};
	beforeAll(() => use(name));
	afterAll(() => use('cheapest'));
}

function seed(value: string): void {
	process.env.EMULATOR_SEED = value;
}
