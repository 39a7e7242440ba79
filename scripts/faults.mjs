// npm run faults [-- NAME... | --since REVISION]: plants the faults of test/emulator/faults, one at a
// time, and runs the tests that must notice. NAME: norm or norm.cu; REVISION: only lists whose source,
// tests or text changed since. Writes benchmarks/results/faults.md. Fails where a fault passes.

import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {ensureInstalled, ensureTypescript, start} from './build.mjs';
import {faultLists, planted} from './faults/lists.mjs';
import {record} from './faults/page.mjs';
import {build, refreshTree, write} from './faults/tree.mjs';
import {failureOf, patternOf} from './faults/verdict.mjs';
import {root} from './freshness.mjs';
import {BuildError} from './toolchain.mjs';

const passes = '**passes**';
const broken = '**does not compile**';

const isNamed = ({name}, wish) => name === wish || name.replace(/\.\w+$/, '') === wish;

const testsOf = ({faults}) => [...new Set(faults.flatMap(({tests}) => tests))];

await start(import.meta.url, async args => {
	const lists = chosen(args);
	ensureInstalled();
	ensureTypescript();
	refreshTree();
	const failed = await build();
	if (failed) throw new BuildError(`faults: the sources do not compile\n${failed.slice(-2000)}`);
	let passing = 0;
	for (const list of lists) {
		const results = [];
		for (const fault of list.faults) {
			const result = {what: fault.what, ...(await outcomeOf(list, fault))};
			results.push(result);
			record(list, result);
			console.log(`${list.name}: ${result.what}: ${result.how} ${result.by}`);
		}
		await expectPassing(list, results);
		passing += results.filter(({how}) => how === passes || how === broken).length;
	}
	console.log(`faults: ${passing} not noticed`);
	return passing > 0 ? 1 : 0;
});

function chosen(args) {
	const {values, positionals} = parseArgs({
		args,
		allowPositionals: true,
		options: {since: {type: 'string'}},
	});
	const lists = faultLists();
	const unknown = positionals.find(name => !lists.some(list => isNamed(list, name)));
	if (unknown !== undefined) {
		const names = lists.map(({name}) => name).join(', ');
		throw new BuildError(`faults: expected names of ${names}, got ${unknown}`);
	}
	const named = lists.filter(
		list => positionals.length === 0 || positionals.some(name => isNamed(list, name)),
	);
	if (values.since === undefined) return named;
	const changed = new Set(changedSince(values.since));
	return named.filter(list =>
		[list.source, list.path, ...testsOf(list)].some(file => changed.has(file)),
	);
}

function changedSince(revision) {
	const options = ['diff', '--name-only', '--relative', revision, '--'];
	const {status, stdout, stderr} = spawnSync('git', options, {cwd: root, encoding: 'utf8'});
	if (status !== 0) throw new BuildError(`faults: git: ${stderr.trim()}`);
	return stdout.split('\n');
}

// The tests that noticed something must pass without a fault, or they have noticed nothing.
async function expectPassing(list, results) {
	const names = results.flatMap(({test}) => (test ? [test] : []));
	if (names.length === 0) return;
	await build();
	const failure = await failureOf(testsOf(list), patternOf([...new Set(names)]));
	if (!failure) return;
	throw new BuildError(`faults: fails without a fault: ${failure.test}\n${failure.text}`);
}

/** How a fault is noticed, and by which tests; the source is whole again afterwards. */
async function outcomeOf({source, units}, fault) {
	const whole = readFileSync(join(root, source), 'utf8');
	const text = planted(whole, fault);
	if (text === undefined) {
		throw new BuildError(`faults: ${source}: expected once, for "${fault.what}":\n${fault.from}`);
	}
	write(source, text, units);
	try {
		if (await build()) return {how: broken, by: ''};
		return (await failureOf(fault.tests)) ?? {how: passes, by: ''};
	} finally {
		write(source, whole, units);
	}
}
