// The house rules of docs and sources: which way arrows point, how long files are, what documents say.

import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {extname, join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {errorCodes} from '../dist/errors.js';
import {errorsPage} from '../scripts/errors-page.mjs';
import {importCircles, type Sources, wrongImports, wrongIncludes} from './house/arrows.js';
import {cardLanguage} from './house/card-language.js';
import {sharedNames} from './house/linkage.js';
import {anyTypes, longFiles, wideLines} from './house/measures.js';

const root = join(import.meta.dirname, '..');
const code = new Set(['.ts', '.mjs', '.cjs', '.h', '.cpp', '.cu', '.cuh']);

function sourcesOf(folder: string): Sources {
	const names = readdirSync(join(root, folder), {recursive: true, encoding: 'utf8'}).sort();
	return new Map(
		names
			.filter(name => code.has(extname(name)))
			.map(name => [name, readFileSync(join(root, folder, name), 'utf8')]),
	);
}

function textOf(file: string): string {
	return readFileSync(join(root, file), 'utf8');
}

const made = (entries: Record<string, string>): Sources => new Map(Object.entries(entries));
const importing = (from: string, specifier: string): Sources =>
	made({[from]: `import {it} from '${specifier}';\n`});
const including = (from: string, header: string): Sources =>
	made({[from]: `#include "${header}"\n`});

const folders = ['src', 'native', 'scripts', 'test', 'benchmarks'].filter(folder =>
	existsSync(join(root, folder)),
);
const typescript = sourcesOf('src');
const native = sourcesOf('native');

describe('the sources', () => {
	test('import downwards only', () => {
		expect(wrongImports(typescript)).toEqual([]);
	});

	test('have no circle of imports', () => {
		expect(importCircles(typescript)).toEqual([]);
	});

	test('include downwards only', () => {
		expect(wrongIncludes(native)).toEqual([]);
	});

	test('speak to a card by its intrinsics only', () => {
		expect(cardLanguage(native)).toEqual([]);
	});

	test('of cards mean one thing by a name that they share', () => {
		expect(sharedNames(native)).toEqual([]);
	});

	test.each(folders)('of %s are not too long', folder => {
		expect(longFiles(sourcesOf(folder))).toEqual([]);
	});

	test('have no code wider than 100 columns', () => {
		expect([...wideLines(typescript), ...wideLines(native)]).toEqual([]);
	});

	test('never write the type any outside native.ts', () => {
		const others = new Map([...typescript].filter(([path]) => path !== 'native.ts'));
		expect(anyTypes(others)).toEqual([]);
	});
});

describe('the rules find', () => {
	test.each([
		['files/npy.ts', '../model/load.js'],
		['tokenizer/json.ts', '../files/open.js'],
		['loss/triplet.ts', '../model/spec.js'],
		['autograd/tape.ts', '../model/encode.js'],
		['model/families/bert.ts', '../../errors.js'],
		['model/families/bert.ts', './index.js'],
		['model/load.ts', '../addon.js'],
		['evaluate/metrics.ts', '../files/lines.js'],
		['train/step.ts', '../index.js'],
		['index.ts', './cli/main.js'],
		['errors.ts', './native.js'],
		['other/thing.ts', '../errors.js'],
	])('that %s must not import %s', (from, specifier) => {
		expect(wrongImports(importing(from, specifier))).toHaveLength(1);
	});

	test.each([
		['cli/main.ts', '../index.js'],
		['data/rows.ts', '../files/lines.js'],
		['model/families/bert.ts', '../spec.js'],
		['model/families/index.ts', './bert.js'],
		['native.ts', './addon.js'],
		['evaluate/metrics.ts', '../errors.js'],
		['loss/triplet.ts', '../autograd/tape.js'],
		['files/npy.ts', 'node:fs'],
	])('that %s may import %s', (from, specifier) => {
		expect(wrongImports(importing(from, specifier))).toEqual([]);
	});

	test.each([
		"export {it} from '../cli/main.js';",
		"export * from '../cli/main.js';",
		"import '../cli/main.js';",
		"import type {\n\tIt,\n} from '../cli/main.js';",
		"const it = await import('../cli/main.js');",
	])('an import in the form %j', text => {
		expect(wrongImports(made({'train/step.ts': text}))).toHaveLength(1);
	});

	test('a binary opened outside addon.ts', () => {
		expect(wrongImports(made({'model/load.ts': "import it from 'bindings';"}))).toHaveLength(1);
	});

	test('a circle, and no circle where there is none', () => {
		const [a, b] = ["import './b.js';", "import './a.js';"];
		expect(importCircles(made({'a.ts': a, 'b.ts': b}))).toEqual(['a.ts → b.ts → a.ts']);
		expect(importCircles(made({'a.ts': a, 'b.ts': ''}))).toEqual([]);
	});

	test.each([
		['base/arena.h', '../ops/op.h'],
		['ops/op.h', '../model/pass.h'],
		['model/norm.h', '../cpu/kernels.h'],
		['model/norm.h', '../cuda/norm.h'],
		['cpu/norm.cpp', '../model/norm.h'],
		['cpu/norm.cpp', '../cuda/norm.h'],
		['model/norm.h', '../addon/queue.h'],
		['addon/model.cpp', '../cpu/matrix.h'],
	])('that %s must not include %s', (from, header) => {
		expect(wrongIncludes(including(from, header))).toHaveLength(1);
	});

	test.each([
		['addon/addon.cpp', '../cpu/kernels.h'],
		['addon/model.cpp', '../model/encoder.h'],
		['model/norm.h', '../ops/run.h'],
		['cpu/kernels/avx2.cpp', 'table.h'],
		['cpu/norm.cpp', '../ops/norm.h'],
	])('that %s may include %s', (from, header) => {
		expect(wrongIncludes(including(from, header))).toEqual([]);
	});

	test("Node's headers outside addon/", () => {
		expect(wrongIncludes(made({'model/norm.h': '#include <napi.h>\n'}))).toHaveLength(1);
		expect(wrongIncludes(made({'addon/model.h': '#include <napi.h>\n'}))).toEqual([]);
	});

	test.each([
		'  asm volatile("bar.sync 0;");',
		'  kernel<<<grid, block>>>(x);',
		'  __shared__ float row[32];',
		'#include <cuda_runtime.h>',
		'#include <mma.h>',
	])('the language of a card in the kernel %j', line => {
		expect(cardLanguage(made({'cuda/norm.cu': `// asm, <<<\n${line}\n`}))).toEqual([
			'cuda/norm.cu:2',
		]);
		expect(cardLanguage(made({'cuda/ptx.cuh': line}))).toEqual([]);
	});

	test.each([
		'DEVICE float share(float a, float b) { return a - b; }',
		'inline int64_t share(const Tensor& x,\n                     int64_t n) {',
		'struct share {\n  DEVICE float of(float x) const { return x; }\n};',
		'struct alignas(8) share {',
		'struct share : Other {',
	])('a name that two sources of cards define, in the form %j', line => {
		const text = `namespace inbatch::cuda {\n${line}\n`;
		const unnamed = `namespace inbatch::cuda {\nnamespace {\n${line}\n}  // namespace\n`;
		const generic = `namespace inbatch::cuda {\ntemplate <class T>\n${line}\n`;
		const twice = (other: string) => made({'cuda/a.cu': text, 'cuda/b.cu': other});
		expect(sharedNames(twice(text))).toEqual(['share: cuda/a.cu, cuda/b.cu']);
		expect(sharedNames(twice(unnamed))).toEqual([]);
		expect(sharedNames(twice(generic))).toEqual([]);
	});

	test('no definition in a mere declaration, nor in a value', () => {
		const text = 'struct share;\nconstexpr int share = of(3);\n';
		expect(sharedNames(made({'cuda/a.cu': text, 'cuda/b.cuh': text}))).toEqual([]);
	});

	test('a file of more than 420 lines', () => {
		expect(longFiles(made({a: '\n'.repeat(420), b: '\n'.repeat(421)}))).toEqual(['b: 421 lines']);
	});

	test('code of more than 100 columns, but not comments or the inside of literals', () => {
		const wide = 'x'.repeat(101);
		expect(wideLines(made({a: `ok\n${wide}\n`}))).toEqual(['a:2']);
		expect(
			wideLines(made({a: `\t/${wide}'/gu;\n// ${wide}\n/**\n${wide}\n*/\n'${wide}'\n`})),
		).toEqual([]);
	});

	test.each(['let x: any;', 'x as any', 'Array<any>', 'Map<string, any>', '(x: number) => any'])(
		'the type any in %j',
		text => {
			expect(anyTypes(made({a: text}))).toEqual(['a:1']);
		},
	);

	test.each(["throw new Error('as any');", '// as any', 'const any = all.any(x);'])(
		'no type any in %j',
		text => {
			expect(anyTypes(made({a: text}))).toEqual([]);
		},
	);
});

describe('the documents', () => {
	test('docs/errors.md is the table of src/errors.ts', () => {
		expect(textOf('docs/errors.md')).toBe(errorsPage(errorCodes));
	});

	test('the README names scripts that exist', () => {
		const {scripts} = JSON.parse(textOf('package.json')) as {scripts: Record<string, string>};
		const named = [...textOf('README.md').matchAll(/npm run ([\w:-]+)|npm (test)\b/g)];
		const names = new Set(named.map(match => match[1] ?? match[2]!));
		expect([...names].filter(name => !(name in scripts))).toEqual([]);
		expect([...names]).toEqual(expect.arrayContaining(['quickstart', 'test']));
	});

	test('the README links to files that exist', () => {
		const links = [...textOf('README.md').matchAll(/\]\(([\w./-]+)\)/g)].map(match => match[1]!);
		expect(links.map(textOf).every(text => text.length > 0)).toBe(true);
		expect(links).not.toEqual([]);
	});

	test('every script of package.json is a file that exists', () => {
		const {scripts} = JSON.parse(textOf('package.json')) as {scripts: Record<string, string>};
		const files = Object.values(scripts).flatMap(
			script => script.match(/scripts\/[\w-]+\.mjs/g) ?? [],
		);
		expect(files.map(textOf).every(text => text.length > 0)).toBe(true);
	});
});
