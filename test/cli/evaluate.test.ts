import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {bert, inbatch, main, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const file = (name: string, content: string) => {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
};
const set = join(folder, 'set');
mkdirSync(set);
file(
	'set/corpus.jsonl',
	'{"_id":"1","title":"","text":"a dog"}\n{"_id":"2","title":"x","text":"a cat"}\n',
);
file('set/queries.jsonl', '{"_id":"q","text":"dogs"}\n{"_id":"r","text":"cats"}\n');
file('set/qrels.tsv', 'query-id\tcorpus-id\tscore\nq\t1\t1\nr\t2\t0\n');
const pairs = file(
	'pairs.tsv',
	'sentence1\tsentence2\tscore\na dog\tthe dog\t5\na dog\ta car\t1\ncats\tthe cat\t4\n',
);
const run = file('some.run', 'q Q0 2 1 0.9 t\nq Q0 1 2 0.5 t\nz Q0 1 1 1 t\n');
const qrels = join(set, 'qrels.tsv');
const model = ['--model', bert, '--pooling', 'mean', '--device', 'cpu'];
const evaluate = (...args: string[]) => inbatch(['evaluate', ...args]);

describe('evaluate', () => {
	test('has one result per set, in the order given, named as given', async () => {
		const sets = ['--retrieval', `dogs=${set}`, '--sts', pairs, '--retrieval', set];
		const {code, stdout, stderr} = await evaluate(...model, ...sets, '--k', '1,2', '--json');
		expect(stderr).toContain('dogs: 1 queries, 2 documents');
		expect(code).toBe(0);
		const report = JSON.parse(stdout);
		expect(report.model).toBe(bert);
		expect(report.results).toMatchObject([
			{name: 'dogs', task: 'retrieval', queries: 1, documents: 2, queriesWithoutRelevant: 1},
			{name: pairs, task: 'sts', pairs: 3},
			{name: set, task: 'retrieval', seconds: expect.any(Number)},
		]);
		const [dogs, sts] = report.results;
		expect(Object.keys(dogs.metrics)).toEqual(
			[1, 2]
				.flatMap(k =>
					['ndcg', 'mrr', 'recall', 'precision', 'map', 'hit'].map(name => `${name}@${k}`),
				)
				.concat('map', 'mrr'),
		);
		expect(Object.keys(sts.metrics)).toEqual(
			['cosine', 'dot', 'manhattan', 'euclidean'].flatMap(name => [
				`spearman_${name}`,
				`pearson_${name}`,
			]),
		);
	});

	test('compares with a second model', async () => {
		const args = [...model, '--retrieval', set, '--compare', bert, '--json'];
		const {code, stdout, stderr} = await evaluate(...args);
		expect(code).toBe(0);
		expect(stderr).toContain('95 % interval');
		const {compare, metrics} = JSON.parse(stdout).results[0];
		expect(compare).toMatchObject({model: bert, metrics, p: {'ndcg@10': 1}});
		expect(compare.difference['ndcg@10']).toBe(0);
		expect(compare.interval['ndcg@10']).toEqual([0, 0]);
	});

	test('writes a run, whole or not at all', async () => {
		const out = join(folder, 'out.run');
		expect(await evaluate(...model, '--retrieval', set, '--run', out)).toMatchObject({code: 0});
		expect(readFileSync(out, 'utf8')).toMatch(
			/^q Q0 [12] 1 \S+ inbatch\nq Q0 [12] 2 \S+ inbatch\nr Q0 /,
		);
		const again = await evaluate(...model, '--retrieval', set, '--run', out);
		expect(again).toMatchObject({code: 1});
		expect(again.stderr).toContain('error OUTPUT_EXISTS: ');
		expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([]);
	});

	test.skipIf(!existsSync('/dev/full'))(
		'writes no run where its summary cannot be printed (needs /dev/full)',
		async () => {
			const out = join(folder, 'full.run');
			const full = openSync('/dev/full', 'w');
			const args = ['evaluate', ...model, '--retrieval', set, '--run', out, '--json'];
			const child = spawn(process.execPath, [main, ...args], {
				env: {PATH: process.env.PATH},
				stdio: ['ignore', full, 'ignore'],
			});
			expect(await once(child, 'close')).toEqual([1, null]);
			closeSync(full);
			expect(existsSync(out)).toBe(false);
		},
	);

	test('measures a run of any system without a model', async () => {
		const {code, stdout} = await evaluate(
			'--trec-run',
			run,
			'--qrels',
			qrels,
			'--k',
			'2',
			'--json',
		);
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toEqual({
			model: null,
			results: [
				{
					name: run,
					task: 'retrieval',
					metrics: expect.objectContaining({'mrr@2': 0.5, 'recall@2': 1, 'precision@2': 0.5}),
					queries: 1,
					documents: null,
					queriesWithoutRelevant: 1,
					queriesWithoutJudgements: 1,
					queriesWithoutRanking: 0,
					seconds: expect.any(Number),
				},
			],
		});
	});
});

describe('an option that nothing would use is refused', () => {
	test.each([
		['--split', 'test'],
		['--query-prompt', 'query: '],
		['--document-prompt', 'passage: '],
		['--dimensions', '8'],
		['--batch-tokens', '100'],
		['--revision', 'main'],
		['--dtype', 'f32'],
		['--pooling', 'cls'],
		['--normalize'],
		['--no-normalize'],
		['--max-length', '16'],
		['--truncation-side', 'left'],
	])('%s beside a run', async (...option) => {
		const {code, stderr} = await evaluate('--trec-run', run, '--qrels', qrels, ...option);
		expect(code).toBe(2);
		const name = option[0]?.replace('no-', '');
		expect(stderr).toMatch(`error OPTION_CONFLICT: --trec-run: expected no ${name} beside it`);
	});

	test.each([
		['--split', 'test'],
		['--k', '1'],
		['--ties', 'trec'],
		['--ignore-identical-ids'],
		['--query-prompt', 'query: '],
		['--document-prompt', 'passage: '],
	])('%s beside scored pairs only', async (...option) => {
		const {code, stderr} = await evaluate(...model, '--sts', pairs, ...option);
		expect(code).toBe(2);
		expect(stderr).toMatch(`error OPTION_CONFLICT: ${option[0]}: expected a retrieval set`);
	});

	test('in a file of options too, but not in the environment, which is of many calls', async () => {
		const args = ['evaluate', '--trec-run', run, '--qrels', qrels];
		const config = file('options.json', '{"max-length": 16}');
		const asked = await inbatch([...args, '--config', config]);
		expect(asked).toMatchObject({code: 2, stderr: expect.stringContaining('--max-length')});
		expect(await inbatch(args, {env: {INBATCH_MAX_LENGTH: '16'}})).toMatchObject({code: 0});
	});
});

describe('wrong usage of evaluate ends with exit 2', () => {
	test.each([
		[['--retrieval', set], 'OPTION_MISSING: --model'],
		[model, 'OPTION_MISSING: evaluate: expected a retrieval set or scored pairs'],
		[['--trec-run', run], 'OPTION_MISSING: --qrels'],
		[[...model, '--sts', pairs, '--qrels', qrels], 'OPTION_MISSING: --trec-run'],
		[['--trec-run', run, '--qrels', qrels, ...model], 'OPTION_CONFLICT: --trec-run'],
		[['--trec-run', run, '--qrels', qrels, '--sts', pairs], 'OPTION_CONFLICT: --trec-run'],
		[[...model, '--sts', pairs, '--run', 'x'], 'OPTION_CONFLICT: run'],
		[[...model, '--sts', pairs, '--ties', 'none'], 'OPTION_RANGE: --ties'],
		[[...model, '--sts', pairs, '--k', '1,x'], 'OPTION_TYPE: --k'],
		[[...model, '--sts', pairs, '--split', '../x'], 'OPTION_RANGE: --split'],
	])('%j', async (args, line) => {
		const {code, stdout, stderr} = await evaluate(...args);
		expect({code, stdout}).toEqual({code: 2, stdout: ''});
		expect(stderr.startsWith(`error ${line}`), stderr).toBe(true);
	});
});

test.each([
	[['--retrieval', '/nowhere'], 'FILE_NOT_FOUND'],
	[['--retrieval', set, '--split', 'dev'], 'FILE_NOT_FOUND'],
	[['--sts', '/nowhere'], 'FILE_NOT_FOUND'],
	[['--retrieval', set, '--dimensions', '65'], 'OPTION_RANGE'],
	[['--retrieval', set, '--run', '/nowhere/x.run'], 'FILE_WRITE'],
])('%j fails with one line and nothing on stdout', async (args, error) => {
	const {code, stdout, stderr} = await evaluate(...model, ...args, '--json');
	expect({code, stdout}).toEqual({code: 1, stdout: ''});
	expect(stderr.trimEnd().split('\n').at(-1)).toMatch(new RegExp(`^error ${error}: `));
});
