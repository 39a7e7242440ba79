// benchmarks/results/faults.md: a row a fault, which a run of that fault replaces.

import {spawnSync} from 'node:child_process';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {root} from '../freshness.mjs';
import {faultLists} from './lists.mjs';

const path = join(root, 'benchmarks/results/faults.md');

/** Writes what became of a fault, {how, by}; rows of faults that are gone go. */
export function record(fault, {how, by}) {
	const listed = new Set(faultLists().flatMap(list => list.faults.map(keyOf)));
	const mine = keyOf(fault);
	const kept = rows().filter(row => listed.has(keyIn(row)) && keyIn(row) !== mine);
	const row = `${mine} | ${how} | ${by} | ${revisionOf(fault.source)} |`;
	writeFileSync(path, page([...kept, row].sort(), listed.size));
}

/** Whether it is known how a fault is noticed. */
export function isRecorded(fault) {
	return rows().some(row => keyIn(row) === keyOf(fault));
}

const rows = () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []);

const keyOf = ({list, what}) => `| \`${list}\` | ${what}`;
const keyIn = row => row.split(' | ').slice(0, 2).join(' | ');

// The last commit that changed a source; with a plus where it has been edited since.
function revisionOf(source) {
	const git = (...args) => spawnSync('git', args, {cwd: root, encoding: 'utf8'}).stdout.trim();
	const edited = git('status', '--porcelain', '--', source) ? '+' : '';
	return git('log', '-1', '--format=%h', '--', source) + edited;
}

function page(rows, listed) {
	const counts = new Map();
	for (const row of rows) {
		const how = row.split(' | ').at(2);
		counts.set(how, (counts.get(how) ?? 0) + 1);
	}
	const sums = [...counts].sort((a, b) => b[1] - a[1]).map(([how, count]) => `${how} ${count}`);
	return `# Planted faults

Written by \`npm run faults\`. Each is planted alone into the kernels (\`test/emulator/faults\`), which are built for
the emulated card; the tests of the op must fail. How they do: a report of the emulator by its kind, or wrong values.
The last column is the last commit of the source that the fault was planted into.

${rows.length} of the ${listed} in the lists have been planted: ${sums.join(', ')}.

| file | fault | noticed as | by the tests of | source of |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
