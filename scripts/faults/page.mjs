// benchmarks/results/faults.md: a row a fault, which a run of that fault replaces.

import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {root} from '../freshness.mjs';
import {faultLists} from './lists.mjs';

const output = 'benchmarks/results/faults.md';

/** Writes what became of a fault of a list, {what, how, by}; rows of faults that are gone go. */
export function record({name}, result) {
	const path = join(root, output);
	const before = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
	const listed = new Set(faultLists().flatMap(list => list.faults.map(keyOf(list.name))));
	const mine = keyOf(name)(result);
	const kept = before.filter(line => {
		const key = line.split(' | ').slice(0, 2).join(' | ');
		return listed.has(key) && key !== mine;
	});
	const row = `${mine} | ${result.how} | ${result.by} |`;
	writeFileSync(path, page([...kept, row].sort(), listed.size));
}

const keyOf =
	name =>
	({what}) =>
		`| \`${name}\` | ${what}`;

function page(rows, listed) {
	const counts = new Map();
	for (const row of rows) {
		const how = row.split(' | ').at(-2);
		counts.set(how, (counts.get(how) ?? 0) + 1);
	}
	const sums = [...counts].sort((a, b) => b[1] - a[1]).map(([how, count]) => `${how} ${count}`);
	return `# Planted faults

Written by \`npm run faults\`. Each is planted alone into the kernels (\`test/emulator/faults\`), which are built for
the emulated card; the tests of the op must fail. How they do: a report of the emulator by its kind, or wrong values.

${rows.length} of the ${listed} in the lists have been planted: ${sums.join(', ')}.

| file | fault | noticed as | by the tests of |
|---|---|---|---|
${rows.join('\n')}
`;
}
