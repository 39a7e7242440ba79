// What a person is told about cards: why `auto` passed some over, weights that do not fit, heads that
// tensor cores do not take.

import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect, test} from 'vitest';
import {EmbeddingModel} from '../../dist/model/embedding-model.js';
import {matrixHeadWidths} from '../../dist/model/load.js';
import {cardAddonPath, emulatedPath} from '../support/emulated.js';
import {bert, inbatch, temporaryFolder} from './command-line.js';

process.env.INBATCH_NATIVE = cardAddonPath;
const widths = 'tensor cores take 32, 64, 80, 96, 128';

const folder = temporaryFolder();
const input = join(folder, 'texts.txt');
writeFileSync(input, 'big dog\n');

const tiny = ['--model', bert, '--pooling', 'mean'];

function encode(more: readonly string[], env: Record<string, string> = {}) {
	return inbatch(['encode', '--input', input, '--output', '-', ...more], {
		env: {INBATCH_NATIVE: emulatedPath, EMULATOR_MEMORY: String(2 ** 26), ...env},
	});
}

test('auto says once why a card is passed over', async () => {
	const {code, stderr} = await encode(tiny, {EMULATOR_CAPABILITY: '75'});
	expect(code).toBe(0);
	expect(stderr.split('\n').filter(line => line.includes('card'))).toEqual([
		"warning: device 'auto' computes on the cpu, no card can be used: cuda:0 (emulated card): " +
			'expected compute capability 8.0 or newer, got 7.5',
	]);
});

test('weights that do not fit are told with what is needed, what is free and where', async () => {
	const {code, stderr} = await encode(['--model', 'builtin', '--device', 'cuda'], {
		EMULATOR_MEMORY: String(2 ** 22),
	});
	expect(code).toBe(1);
	expect(stderr).toMatch(
		/^error OUT_OF_MEMORY: .*config\.json: the weights do not fit into memory; card 0 \(emulated card\): expected \d+\.\d\d MB of memory, got \d\.\d\d MB free of \d\.\d\d MB\n$/,
	);
});

test('a pass that does not fit is told with what makes it smaller', async () => {
	const texts = join(folder, 'long.txt');
	writeFileSync(texts, Array.from({length: 300}, (_, n) => `what is the symptom ${n}\n`).join(''));
	const options = [...tiny, '--device', 'cuda', '--input', texts];
	const {code, stderr} = await encode(options, {EMULATOR_MEMORY: String(2 ** 21)});
	expect(code).toBe(1);
	expect(stderr).toMatch(
		/^error OUT_OF_MEMORY: card 0 \(emulated card\): expected .* MB free of 2\.10 MB; lower the tokens of one pass \(chunkTokens, batchTokens\)$/m,
	);
});

test.each([
	['bf16', [`heads of 16 columns have attention on ordinary cores, which is slower: ${widths}`]],
	['f32', []],
])('heads that tensor cores do not take: in %s', async (dtype, said) => {
	await using model = await EmbeddingModel.load(bert, {pooling: 'mean', device: 'cuda', dtype});
	expect(model.warnings).toEqual(said);
});

test('the heads that are named are those with kernels', () => {
	const kernels = join(import.meta.dirname, '../../native/cuda/attention_mma.cuh');
	const cases = readFileSync(kernels, 'utf8').matchAll(/^ +case (\d+):$/gm);
	expect(Array.from(cases, ([, width]) => Number(width))).toEqual(matrixHeadWidths);
});
