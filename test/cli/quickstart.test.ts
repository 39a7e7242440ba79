import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {beforeAll, describe, expect, test} from 'vitest';
import {type Ended, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const output = join(folder, 'first');
const quickstart = (...args: string[]) => inbatch(['quickstart', '--epochs', '1', ...args]);

describe('inbatch quickstart', {timeout: 240_000}, () => {
	let ended: Ended;
	beforeAll(async () => {
		ended = await quickstart('--output', output, '--json');
	}, 240_000);

	test('makes the embedded model better on the sample, and says how good words alone are', () => {
		expect(ended.code, ended.stderr).toBe(0);
		const {evaluation, compare, bm25, rows, output: written} = JSON.parse(ended.stdout);
		const gain = evaluation.after.sample['ndcg@10'] - evaluation.before.sample['ndcg@10'];
		expect(gain).toBeGreaterThan(0);
		expect(compare.sample.difference['ndcg@10']).toBeCloseTo(gain, 12);
		const [low, high] = compare.sample.interval['ndcg@10'];
		expect(low).toBeGreaterThan(0);
		expect(low).toBeLessThan(gain);
		expect(high).toBeGreaterThan(gain);
		expect(bm25.sample['ndcg@10']).toBeGreaterThan(0.1);
		const left = Number(/(\d+) rows left out/.exec(ended.stderr)?.[1] ?? 0);
		expect(rows + left).toBe(504);
		expect(written).toBe(output);
	});

	test('shows a table and three commands to go on with', () => {
		expect(ended.stderr).toMatch(
			/BM25.*\d\.\d{4}[\s\S]*before.*\d\.\d{4}[\s\S]*fine-tuned.*\d\.\d{4}/,
		);
		expect(ended.stderr).toMatch(/gain lies within \+\d\.\d{4} to \+\d\.\d{4}/);
		expect(ended.stderr.match(/^ {2}inbatch \w+ /gm)).toHaveLength(3);
	});

	test('leaves a model that opens', async () => {
		const texts = join(folder, 'texts.txt');
		writeFileSync(texts, 'my tyre is flat\n');
		const encoded = await inbatch(['encode', '--model', output, '--input', texts, '--output', '-']);
		expect(encoded.code, encoded.stderr).toBe(0);
		expect(JSON.parse(encoded.stdout).embedding).toHaveLength(384);
	});

	test('replaces its own earlier result', async () => {
		writeFileSync(join(output, 'metrics.jsonl'), 'stale\n');
		const again = await quickstart('--output', output, '--quiet');
		expect(again.code, again.stderr).toBe(0);
		expect(readFileSync(join(output, 'metrics.jsonl'), 'utf8')).not.toContain('stale');
	});

	test('refuses a folder that it did not make, and leaves it alone', async () => {
		const other = join(folder, 'other');
		mkdirSync(other);
		writeFileSync(join(other, 'letter.txt'), 'dear');
		const refused = await quickstart('--output', other);
		expect(refused.code).toBe(1);
		expect(refused.stderr).toMatch(/^error OUTPUT_EXISTS: /m);
		expect(readFileSync(join(other, 'letter.txt'), 'utf8')).toBe('dear');
	});
});
