// npm run faults [-- NAME... | --since REVISION | --missing] [--jobs N]: plants the faults of
// test/emulator/faults, one at a time, and runs the tests that must notice, N at once. NAME: norm or
// norm.cu; REVISION: only lists whose source, tests or text changed since; --missing: only faults
// without a row. Writes benchmarks/results/faults.md. Fails where a fault passes.

import {spawnSync} from 'node:child_process';
import {parseArgs} from 'node:util';
import {ensureInstalled, ensureTypescript, start} from './build.mjs';
import {faultLists} from './faults/lists.mjs';
import {isRecorded, record} from './faults/page.mjs';
import {Rounds} from './faults/rounds.mjs';
import {refreshTree} from './faults/tree.mjs';
import {failureOf, patternOf} from './faults/verdict.mjs';
import {root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

const passes = '**passes**';
const broken = '**does not compile**';

const isNoticed = ({how}) => how !== passes && how !== broken;

const isNamed = ({name}, wish) => name === wish || name.replace(/\.\w+$/, '') === wish;

const testsOf = faults => [...new Set(faults.flatMap(({tests}) => tests))];

await start(import.meta.url, async args => {
	const {faults, jobs} = chosen(args);
	ensureInstalled();
	ensureTypescript();
	refreshTree();
	let unnoticed = 0;
	for await (const round of new Rounds(faults)) {
		const results = await atOnce(jobs, round.faults, async fault => {
			const result = round.isBroken ? {how: broken, by: ''} : await outcomeOf(fault);
			record(fault, result);
			console.log(`${fault.list}: ${fault.what}: ${result.how} ${result.by}`);
			return result;
		});
		if (!round.isAlone) await expectPassing(round.faults, results);
		unnoticed += results.filter(result => !isNoticed(result)).length;
	}
	console.log(`faults: ${unnoticed} not noticed`);
	return unnoticed > 0 ? 1 : 0;
});

function chosen(args) {
	const {values, positionals} = parseArgs({
		args,
		allowPositionals: true,
		options: {since: {type: 'string'}, missing: {type: 'boolean'}, jobs: {type: 'string'}},
	});
	const jobs = Number(values.jobs ?? 1);
	if (!(jobs >= 1))
		throw new BuildError(`faults: expected --jobs of at least 1, got ${values.jobs}`);
	const faults = changed(values.since, named(positionals)).flatMap(list => list.faults);
	return {faults: values.missing ? faults.filter(fault => !isRecorded(fault)) : faults, jobs};
}

function named(names) {
	const lists = faultLists();
	const unknown = names.find(name => !lists.some(list => isNamed(list, name)));
	if (unknown !== undefined) {
		const known = lists.map(({name}) => name).join(', ');
		throw new BuildError(`faults: expected names of ${known}, got ${unknown}`);
	}
	return lists.filter(list => names.length === 0 || names.some(name => isNamed(list, name)));
}

function changed(revision, lists) {
	if (revision === undefined) return lists;
	const options = ['diff', '--name-only', '--relative', revision, '--'];
	const {status, stdout, stderr} = spawnSync('git', options, {cwd: root, encoding: 'utf8'});
	if (status !== 0) throw new BuildError(`faults: git: ${stderr.trim()}`);
	const files = new Set(stdout.split('\n'));
	return lists.filter(({source, path, faults}) =>
		[source, path, ...testsOf(faults)].some(file => files.has(file)),
	);
}

// body(item) of all, `jobs` at a time; what they return, in the order of the items.
async function atOnce(jobs, items, body) {
	const results = [];
	let next = 0;
	const worker = async () => {
		while (next < items.length) {
			const own = next;
			next += 1;
			results[own] = await body(items[own]);
		}
	};
	await Promise.all(Array.from({length: jobs}, worker));
	return results;
}

// The tests that noticed something must pass without a fault, or they have noticed nothing; all of a file
// where what failed stands around its tests, or nothing ended.
async function expectPassing(faults, results) {
	const names = results.flatMap(({test}) => (test ? [test] : []));
	const unnamed = faults.filter((_, index) => isNoticed(results[index]) && !results[index].test);
	const failure =
		(names.length > 0 &&
			(await failureOf(testsOf(faults), {pattern: patternOf([...new Set(names)])}))) ||
		(unnamed.length > 0 && (await failureOf(testsOf(unnamed), {})));
	if (!failure) return;
	throw new BuildError(`faults: fails without a fault: ${failure.test}\n${failure.text}`);
}

/** How a fault is noticed, and by which tests. */
async function outcomeOf({tests, number}) {
	return (await failureOf(tests, {fault: number})) ?? {how: passes, by: ''};
}
