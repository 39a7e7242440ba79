// npm test: installs, builds and runs every test. Arguments go to vitest. The last line is the count:
// `N passed, N failed`, with `, N skipped` when there are any. The exit code is vitest's.

import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {ensureBuilt, ensureEmulated, runToEnd, start} from './build.mjs';
import {root} from './freshness.mjs';

await start(import.meta.url, async args => {
	ensureBuilt();
	ensureEmulated();
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-test-'));
	const report = join(folder, 'report.json');
	try {
		const code = await runToEnd([
			'node_modules/vitest/vitest.mjs',
			'run',
			'--reporter=default',
			'--reporter=json',
			`--outputFile.json=${report}`,
			...args,
		]);
		sayWhatIsAbsent();
		const counts = countsOf(report);
		console.log(lineOf(counts));
		return code === 0 && counts.failed > 0 ? 1 : code;
	} finally {
		rmSync(folder, {recursive: true});
	}
});

function sayWhatIsAbsent() {
	const shared = resolve(root, process.env.INBATCH_SHARED ?? '../shared');
	if (existsSync(shared)) return;
	console.log(
		`Tests of the large models and data are skipped: INBATCH_SHARED (${shared}) is not there.`,
	);
}

// A file that could not even be loaded has no tests; it counts as one that failed.
function countsOf(report) {
	if (!existsSync(report)) return {passed: 0, failed: 1, skipped: 0};
	const counted = JSON.parse(readFileSync(report, 'utf8'));
	const broken = counted.testResults.filter(
		({status, assertionResults}) =>
			status === 'failed' && !assertionResults.some(test => test.status === 'failed'),
	);
	return {
		passed: counted.numPassedTests,
		failed: counted.numFailedTests + broken.length,
		skipped: counted.numPendingTests + counted.numTodoTests,
	};
}

function lineOf({passed, failed, skipped}) {
	return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
