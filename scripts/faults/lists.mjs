// Planted faults as they are written down: test/emulator/faults/NAME.txt for native/cuda/NAME.
//
//   # what is said about the list
//   tests: norm model/card-flow           (files of test/ops, or of test, of which one must fail)
//
//   what is wrong
//   - text that stands in the source once  (several lines: one line break between them)
//   + what it becomes                      (nothing: it is gone)

import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {root} from '../freshness.mjs';

export const folder = 'test/emulator/faults';

/** All lists: {name, source, path, faults: [{what, from, to, list, source, tests}]}; list: its name. */
export function faultLists() {
	const names = readdirSync(join(root, folder)).filter(name => name.endsWith('.txt'));
	return names.sort().map(name => {
		const path = `${folder}/${name}`;
		return {path, ...parsed(name.replace(/\.txt$/, ''), readFileSync(join(root, path), 'utf8'))};
	});
}

/** A list from its text; `name` is that of the source. */
export function parsed(name, text) {
	const said = text.split('\n').filter(line => !line.startsWith('#'));
	const [head, ...blocks] = said
		.join('\n')
		.trim()
		.split(/\n{2,}/);
	const source = `native/cuda/${name}`;
	const tests = testsIn(head);
	const faults = blocks.map(block => ({...faultIn(block.split('\n')), list: name, source, tests}));
	return {name, source, faults};
}

function faultIn(lines) {
	const marked = mark =>
		lines
			.filter(line => line.startsWith(mark))
			.map(line => line.slice(2))
			.join('\n');
	return {what: lines[0], from: marked('-'), to: marked('+')};
}

function testsIn(head) {
	const found = /^tests:(.*)$/m.exec(head)?.[1] ?? '';
	const tests = found.split(' ').filter(word => word !== '');
	return tests.map(test => `test/${test.includes('/') ? test : `ops/${test}`}.test.ts`);
}

/** The source with a fault in it; undefined unless what it replaces stands there once. */
export function planted(source, {from, to}) {
	const at = source.indexOf(from);
	if (from === '' || at < 0 || source.includes(from, at + 1)) return undefined;
	return source.slice(0, at) + to + source.slice(at + from.length);
}
