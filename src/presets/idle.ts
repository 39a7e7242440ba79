// Options that are given and change nothing beside the others: found by leaving out each in turn.

import type {Reading} from './reading.js';
import type {GivenValue} from './values.js';

type Given = ReadonlyMap<string, GivenValue>;

/**
The places of options without effect, of what options become as a text. None is at its default, where
nothing was to be expected of it, and none is of those whose table entry says why they are dead.
*/
export function idlePlaces({preset, given}: Reading, textOf: (given: Given) => string): string[] {
	const all = textOf(given);
	const asking = [...given].filter(([name, {value}]) => {
		const {dead, default: standard} = preset.options[name]!;
		const isStandard = JSON.stringify(value) === JSON.stringify(standard ?? null);
		return dead === undefined && !isStandard && name !== preset.configFlag;
	});
	const idle = asking.filter(([name]) => {
		return textOf(new Map([...given].filter(([other]) => other !== name))) === all;
	});
	return idle.map(([, {place}]) => place);
}
