import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {bert, inbatch, temporaryFolder} from './command-line.js';

const folder = temporaryFolder();
const file = (name: string, rows: readonly unknown[]) => {
	const path = join(folder, name);
	writeFileSync(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''));
	return path;
};
const good = file('good.jsonl', [
	{query: 'how far is the moon', pos: ['very far away indeed']},
	{query: 'who was Ada Lovelace', pos: ['a mathematician from London']},
]);
const bad = file('bad.jsonl', [
	{query: 'a', pos: ['b']},
	{query: 'a', pos: []},
]);
const doubtful = file('doubtful.jsonl', [{query: 'a', pos: ['b'], neg: ['b']}]);

test('Good data end with 0, and the report is one object on stdout', async () => {
	const {code, stdout, stderr} = await inbatch(['check', good, '--json']);
	expect(code).toBe(0);
	expect(JSON.parse(stdout)).toMatchObject({ok: true, records: 2, files: [{path: good}]});
	expect(stderr).toContain('fit to train on: 0 errors, 0 warnings');
});

test('Errors end with 1, after the report was printed', async () => {
	const {code, stdout, stderr} = await inbatch(['check', good, bad, '--json']);
	expect(code).toBe(1);
	expect(JSON.parse(stdout)).toMatchObject({ok: false, errors: 1, brokenLines: 1});
	expect(stderr).toContain(`${bad}:2: expected "pos" to hold a text, got an empty array`);
	expect(stderr.trimEnd().split('\n').at(-1)).toBe(
		'error DATA_ROW: check: expected data without, got 1 errors: 1 empty-text',
	);
});

test('Warnings end with 1 only where it was asked for', async () => {
	expect(await inbatch(['check', '--data', doubtful])).toMatchObject({code: 0, stdout: ''});
	const {code, stderr} = await inbatch(['check', doubtful, '--strict', '--quiet']);
	expect(code).toBe(1);
	expect(stderr).toBe(
		'error DATA_ROW: check: expected data without, got 1 warnings: 1 own-negative\n',
	);
});

test('A model counts tokens', async () => {
	const args = ['check', good, '--model', bert, '--pooling', 'mean', '--json'];
	const {code, stdout} = await inbatch([...args, '--query-max-length', '4']);
	expect(code).toBe(0);
	const {lengths, mined} = JSON.parse(stdout);
	expect(lengths.query).toMatchObject({maxLength: 4, truncated: 2, truncatedShare: 1});
	expect(mined).toMatchObject({queries: 2});
});

test('Wrong use is refused before a file is opened', async () => {
	const refusals = [
		[[], 'OPTION_MISSING'],
		[[good, '--query-max-length', '4'], 'OPTION_CONFLICT'],
		[[good, '--split', 'dev'], 'OPTION_CONFLICT'],
		[[good, '--loss', 'nothing'], 'OPTION_RANGE'],
		[[good, '--map', 'x'], 'OPTION_TYPE'],
	] as const;
	for (const [args, errorCode] of refusals) {
		const {code, stderr} = await inbatch(['check', ...args]);
		expect({args, code}).toEqual({args, code: 2});
		expect(stderr).toContain(errorCode);
	}
});
