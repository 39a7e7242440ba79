// What the tests of an op say about the add-on of out/faults: nothing, or how they fail.

import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {BuildError} from '../toolchain.mjs';
import {addon, outcomeOf} from './tree.mjs';

// As tests are named, some in quotes.
const onEmulator = "on '?the emulated card";

const longest = 300; // seconds; a kernel that goes round for ever never ends

/**
How the tests fail on the emulated card, {how, by, test}, with the fault of this number of those that are
built in; undefined where they pass.
*/
export async function failureOf(tests, {pattern = onEmulator, fault = 0}) {
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-faults-'));
	const report = join(folder, 'report.json');
	try {
		const {code, said} = await outcomeOf(
			process.execPath,
			[
				'node_modules/vitest/vitest.mjs',
				'run',
				...['-t', pattern, '--bail', '1'],
				...['--reporter=json', `--outputFile=${report}`, '--reporter=default'],
				...tests,
			],
			{
				env: {
					...process.env,
					INBATCH_NATIVE: addon,
					EMULATOR_ADDON: addon,
					EMULATOR_FAULT: String(fault),
				},
				seconds: longest,
			},
		);
		if (code === 0) return expectTested(report, tests);
		return code === null ? {how: 'no end', by: ''} : failureIn(report, said);
	} finally {
		rmSync(folder, {recursive: true});
	}
}

// Who looked at nothing has seen no fault.
function expectTested(report, tests) {
	if (JSON.parse(readFileSync(report, 'utf8')).numPassedTests > 0) return;
	throw new BuildError(`faults: expected tests on the emulated card in ${tests.join(', ')}`);
}

/** The pattern of these tests alone, by their full names. */
export function patternOf(names) {
	const escaped = names.map(name => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
	return `^(${escaped.join('|')})$`;
}

function failureIn(report, said) {
	if (!existsSync(report)) return {how: 'vitest ended early', by: '', text: said.slice(-2000)};
	const {testResults} = JSON.parse(readFileSync(report, 'utf8'));
	const failed = testResults.flatMap(({name, message, assertionResults}) => [
		...assertionResults
			.filter(({status}) => status === 'failed')
			.map(({fullName, failureMessages}) => ({
				by: basename(name, '.test.ts'),
				test: fullName,
				text: failureMessages.join('\n'),
			})),
		...(message ? [{by: basename(name, '.test.ts'), text: message}] : []),
	]);
	// What fails around tests is told by the other reporter alone.
	const files = testResults.filter(({status}) => status === 'failed');
	const by = files.map(({name}) => basename(name, '.test.ts')).join(' ');
	const first = failed[0] ?? {by, text: said};
	return {...first, how: kindOf(first.text)};
}

// In the emulator's words, the telling ones first.
const kinds = [
	['race', /race(, | with)/],
	['deadlock', /deadlock:/],
	['copy in flight', /copy in flight|never waited for|changed while in flight/],
	['copies in no order', /copies that nothing orders|was written while a copy/],
	['unwritten bytes', /unwritten bytes/],
	['outside memory', /outside any allocation|outside shared memory|not device memory/],
	['index beyond', /out of bounds/],
	['misaligned', /misaligned|aligned/],
	['misuse', /wgmma|mbarrier|load_matrix|tensor_|mask|warp is at|named barrier|fence|launch:/],
	['a refusal', /EngineError|OP_INVALID|expected .* got /],
	['crash', /Worker (exited|forks)|SIG[A-Z]+|Channel closed|terminated/],
];

/** The kind of a failure by its text. */
export function kindOf(text) {
	if (text.startsWith('AssertionError')) return 'wrong values';
	return kinds.find(([, pattern]) => pattern.test(text))?.[0] ?? 'wrong values';
}
