import {createHash, randomBytes} from 'node:crypto';
import {expect, test} from 'vitest';
import {sha256File} from '../../dist/files/hash.js';
import {temporaryFolder} from './folder.js';

const {folder, put} = temporaryFolder();

test('The checksum of a file is that of its bytes', async () => {
	const bytes = randomBytes(3_000_001);
	const expected = createHash('sha256').update(bytes).digest('hex');
	expect(await sha256File(put('bytes', bytes))).toBe(expected);
});

test('An abort and a missing file are told apart', async () => {
	const reason = new Error('enough');
	const path = put('some', 'x');
	await expect(sha256File(path, AbortSignal.abort(reason))).rejects.toBe(reason);
	await expect(sha256File(`${folder}/nothing`)).rejects.toMatchObject({code: 'FILE_NOT_FOUND'});
});
