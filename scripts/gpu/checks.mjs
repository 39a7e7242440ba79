// Is it right on the card? What instructions do, the tests of ops, a training, and what the sanitizer of
// CUDA sees while the tests of ops run.

import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {availableParallelism, tmpdir} from 'node:os';
import {join} from 'node:path';
import {root} from '../freshness.mjs';
import {atOnce, cardHere, Missing, outcomeOf, testEnvironment, vitest} from './machine.mjs';

/** Until this agrees no layout of registers or shared memory counts as proven. */
export async function conformance(settings) {
	const program = await conformanceProgram(settings);
	const {code, stdout, stderr} = await outcomeOf(program, []);
	const none = /^FAIL (.*(?:driver|no CUDA).*)/m.exec(stdout)?.[1];
	if (none) throw new Missing(none);
	const expected = readFileSync(join(root, 'test/emulator/conformance.txt'), 'utf8');
	const [wanted, got] = [expected, stdout].map(text => text.trimEnd().split('\n'));
	const differences = wanted.flatMap((line, n) =>
		line === got[n] ? [] : [{expected: line, got: got[n] ?? 'nothing'}],
	);
	const passed = code === 0 && differences.length === 0;
	return {passed, cases: wanted.length, differences, errors: stderr.slice(-2000)};
}

async function conformanceProgram({trial}) {
	if (trial) return join(root, 'out/emulated/conformance');
	const made = join(root, 'out/gpu/conformance');
	if (existsSync(made)) return made;
	const output = join(tmpdir(), `inbatch-conformance-${process.pid}`);
	await compileConformance(output);
	return output;
}

/** The same program with the instructions of a card of Hopper. */
export async function compileConformance(output) {
	const target = '--generate-code=arch=compute_90a,code=sm_90a';
	const source = join(root, 'test/emulator/conformance.cu');
	const options = ['-std=c++20', '-O3', target, '-I', join(root, 'test')];
	const {code, stderr} = await outcomeOf('nvcc', [...options, '-o', output, source]);
	if (code !== 0) throw new Error(`nvcc: ${stderr.slice(-2000)}`);
}

/** The tests of ops on the card, a process for each file. */
export async function operations(settings) {
	await cardHere(settings);
	const results = await testsOf(settings, operationFiles(settings), []);
	return {passed: results.every(({failed, ran}) => failed === 0 && ran > 0), files: results};
}

/**
Trainings on the card beside those of the CPU, golden vectors of the embedded model and of every family, updates and
losses: in f32 within the limits of the CPU, in bf16 within its own.
*/
export async function training(settings) {
	await cardHere(settings);
	const files = [
		{path: 'test/train/cards.test.ts', pattern: 'the cpu does|the same bits|follows torch'},
		{path: 'test/train/cards-bf16.test.ts', pattern: 'on the cpu|the same bits'},
		{path: 'test/model/golden-cards.test.ts', pattern: 'has (nearly )?the (vectors|hidden rows)'},
		{path: 'test/model/update.test.ts'},
		{path: 'test/model/moves.test.ts'},
		{path: 'test/loss/gradients-cards.test.ts', pattern: 'has (the gradient|its value)'},
	];
	const results = await testsOf(settings, settings.trial ? files.slice(0, 1) : files, []);
	return {passed: results.every(({failed, ran}) => failed === 0 && ran > 0), files: results};
}

/** memcheck or racecheck over the tests of ops; files that are done are kept if time runs out. */
export async function sanitized(settings) {
	await cardHere(settings);
	const {tool} = settings;
	const watch = ['compute-sanitizer', '--tool', tool, '--target-processes', 'all'];
	await outcomeOf('compute-sanitizer', ['--version']);
	const results = await testsOf(settings, operationFiles(settings), [
		...watch,
		'--print-limit',
		'5',
	]);
	return {passed: results.every(({reports, ran}) => reports === 0 && ran > 0), files: results};
}

function operationFiles({trial}) {
	const trials = ['rotary.test.ts', 'pool-gem.test.ts'];
	const all = readdirSync(join(root, 'test/ops')).filter(name => name.endsWith('.test.ts'));
	const names = trial ? trials : all;
	const isOfCards = name =>
		readFileSync(join(root, 'test/ops', name), 'utf8').includes('support/cards.js');
	return names.filter(isOfCards).map(name => ({path: `test/ops/${name}`}));
}

async function testsOf(settings, files, watch) {
	const {testName} = await cardHere(settings);
	// In quotes where a body is for several devices: whole models and repetitions, too slow to watch.
	const usual = `on ${watch.length > 0 ? '' : "'?"}${escaped(testName)}`;
	const folder = mkdtempSync(join(tmpdir(), 'inbatch-tests-'));
	const results = [];
	const width = Math.min(8, availableParallelism());
	await atOnce(files, width, async ({path, pattern = usual}) => {
		const output = join(folder, `${path.replaceAll('/', '-')}.json`);
		const report = ['--reporter=json', `--outputFile=${output}`];
		const command = [process.execPath, vitest(), 'run', path, '-t', pattern, ...report];
		const [program, ...args] = [...watch, ...command];
		const said = await outcomeOf(program, args, {env: testEnvironment(settings)});
		results.push({path, ...counted(output), ...(watch.length > 0 && reportsOf(said.stdout))});
		settings.keep({files: results});
	});
	rmSync(folder, {recursive: true});
	return results;
}

function counted(output) {
	if (!existsSync(output)) return {ran: 0, failed: 0, messages: ['vitest ended early']};
	const report = JSON.parse(readFileSync(output, 'utf8'));
	const failures = report.testResults.flatMap(({message, assertionResults}) => [
		...(message ? [message.slice(0, 600)] : []),
		...assertionResults
			.filter(({status}) => status === 'failed')
			.map(({fullName, failureMessages}) => `${fullName}: ${failureMessages.join().slice(0, 600)}`),
	]);
	const {numPassedTests, numFailedTests} = report;
	return {
		ran: numPassedTests + numFailedTests,
		failed: numFailedTests,
		...(failures.length > 0 && {messages: failures.slice(0, 20)}),
	};
}

/** What compute-sanitizer sums up at the end of each process. */
function reportsOf(text) {
	const sums = [...text.matchAll(/(?:ERROR|RACECHECK) SUMMARY: (\d+)/g)].map(([, sum]) =>
		Number(sum),
	);
	const reports = sums.length === 0 ? 1 : sums.reduce((a, b) => a + b);
	const lines = text.split('\n').filter(line => line.startsWith('========='));
	return {reports, ...(reports > 0 && {said: lines.slice(0, 60).join('\n')})};
}

const escaped = text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
