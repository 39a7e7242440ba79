// Which way imports and includes may point. Each function takes sources by path, so that a test can
// hand it made-up ones, and returns a sentence for each arrow that points the wrong way.

export type Sources = ReadonlyMap<string, string>;
type Arrow = {from: string; to: string};

// A part may import those of lower floors.
const floors = [
	['errors'],
	['option-names'],
	['pace', 'draws', 'options', 'utf8', 'nesting', 'pipes'],
	['addon', 'native', 'files', 'tokenizer'],
	['device', 'hub'],
	['model', 'autograd'],
	['loss', 'data', 'evaluate', 'serve'],
	['train'],
	['check', 'presets'],
	['index'],
	['cli'],
];

const nativeFloors = [['base'], ['ops'], ['cpu', 'cuda', 'model', 'text'], ['addon']];

// Arrows that point down and are wrong all the same.
const never: {from: RegExp; to: RegExp; why: string}[] = [
	{from: /^loss\//, to: /^(model|data|train)\//, why: 'a loss sees matrices only'},
	{from: /^autograd\//, to: /^(model|data|train)\//, why: 'the tape sees matrices only'},
	{
		from: /^model\/families\/(?!index\.ts)/,
		to: /^(?!model\/spec\.ts)/,
		why: 'a family knows the spec only',
	},
	{from: /^evaluate\/metrics\.ts/, to: /^(?!errors\.ts)/, why: 'metrics know numbers only'},
	{from: /^(?!native\.ts)/, to: /^addon\.ts/, why: 'only native.ts loads the add-on'},
];

// Arrows between parts of one floor that are right.
const sideways = [
	{from: /^native\.ts/, to: /^addon\.ts/},
	{from: /^tokenizer\//, to: /^native\.ts/},
];

/** The wrong imports of TypeScript sources, whose paths count from src/. */
export function wrongImports(sources: Sources): string[] {
	const arrows = importArrows(sources);
	const wrong = arrows.flatMap(arrow => {
		const rule = never.find(({from, to}) => from.test(arrow.from) && to.test(arrow.to));
		if (rule) return [`${arrow.from} imports ${arrow.to}: ${rule.why}`];
		const allowed = sideways.some(({from, to}) => from.test(arrow.from) && to.test(arrow.to));
		return allowed ? [] : upward(arrow, floors);
	});
	const loaders = [...sources].filter(
		([path, text]) => path !== 'addon.ts' && /from 'bindings'|\bdlopen\b/.test(text),
	);
	return [...wrong, ...loaders.map(([path]) => `${path} opens a binary: only addon.ts does`)];
}

/** The wrong includes of native sources, whose paths count from native/. */
export function wrongIncludes(sources: Sources): string[] {
	const wrong = includeArrows(sources).flatMap(arrow => {
		if (arrow.from === 'link.cpp') return [];
		if (/^addon\//.test(arrow.from) && /^cpu\/(?!(kernels|peak)\.h$)/.test(arrow.to)) {
			return [`${arrow.from} includes ${arrow.to}: of cpu/ only kernels.h and peak.h`];
		}
		return upward(arrow, nativeFloors);
	});
	const strangers = [...sources].filter(
		([path, text]) => !path.startsWith('addon/') && /#include <(napi|node|v8|uv)/.test(text),
	);
	return [...wrong, ...strangers.map(([path]) => `${path} includes Node: only addon/ does`)];
}

/** Each circle of imports, as the files along it. */
export function importCircles(sources: Sources): string[] {
	const next = new Map<string, string[]>();
	for (const {from, to} of importArrows(sources)) next.set(from, [...(next.get(from) ?? []), to]);
	const done = new Set<string>();
	const circles: string[] = [];
	const visit = (file: string, trail: string[]): void => {
		const at = trail.indexOf(file);
		if (at >= 0) circles.push([...trail.slice(at), file].join(' → '));
		if (at >= 0 || done.has(file)) return;
		for (const to of next.get(file) ?? []) visit(to, [...trail, file]);
		done.add(file);
	};
	for (const file of next.keys()) visit(file, []);
	return circles;
}

function upward({from, to}: Arrow, order: string[][]): string[] {
	const [source, target] = [partOf(from), partOf(to)];
	if (source === target) return [];
	const [here, there] = [source, target].map(part =>
		order.findIndex(names => names.includes(part)),
	);
	if (here === -1 || there === -1) return [`${from} imports ${to}: a part that is on no floor`];
	return there! < here! ? [] : [`${from} imports ${to}: not below it`];
}

// The folder, or the name of a file beside the folders.
function partOf(path: string): string {
	return path.split('/')[0]!.replace(/\.ts$/, '');
}

function importArrows(sources: Sources): Arrow[] {
	const forms = [
		/^\s*(?:import|export)\s(?:[^'";]*?\sfrom\s+)?'(\.[^']+)'/gm,
		/\bimport\(\s*'(\.[^']+)'\s*\)/g,
	];
	return [...sources].flatMap(([from, text]) =>
		forms
			.flatMap(form => [...text.matchAll(form)])
			.map(match => ({from, to: resolve(from, match[1]!).replace(/\.js$/, '.ts')})),
	);
}

function includeArrows(sources: Sources): Arrow[] {
	return [...sources].flatMap(([from, text]) =>
		[...text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)].map(match => ({
			from,
			to: resolve(from, match[1]!),
		})),
	);
}

function resolve(from: string, specifier: string): string {
	return new URL(specifier, `file:///${from}`).pathname.slice(1);
}
