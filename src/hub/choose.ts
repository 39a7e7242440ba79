// Which files of a repository an embedding model needs: what describes it, its tokenizer, its modules,
// and its weights in one format. The same choice tells whether a snapshot of the cache is complete.

export type Choice = {
	/** Of the names given. */
	files: string[];
	/** What a model cannot do without and the names do not have. */
	missing: string[];
};

const described = new Set([
	'config.json',
	'modules.json',
	'config_sentence_transformers.json',
	'tokenizer.json',
	'special_tokens_map.json',
	'added_tokens.json',
	'vocab.txt',
	'vocab.json',
	'merges.txt',
	'spiece.model',
	'sentencepiece.bpe.model',
	'tokenizer.model',
	'chat_template.jinja',
]);

/** Best first: one format is enough. */
const weightFiles = [
	{whole: 'model.safetensors', index: 'model.safetensors.index.json'},
	{whole: 'pytorch_model.bin', index: 'pytorch_model.bin.index.json'},
];

const adapterFiles = ['adapter_model.safetensors', 'adapter_model.bin'];

type ReadJson = (name: string) => Promise<unknown>;

/** `read` gives what a JSON file of the repository holds, or undefined where it is none. */
export async function chooseFiles(names: readonly string[], read: ReadJson): Promise<Choice> {
	const known = new Set(names);
	const modules = known.has('modules.json') ? foldersOf(await read('modules.json')) : [];
	const body = modules[0] ?? '';
	const choice: Choice = {files: [], missing: []};
	for (const folder of new Set(['', ...modules])) {
		const inside = names.filter(name => folderOf(name) === folder);
		choice.files.push(...inside.filter(name => isDescription(baseOf(name))));
		const weights = await weightsOf({folder, known, read});
		if (folder === '' && body !== '') continue;
		choice.files.push(...weights.files);
		choice.missing.push(...weights.missing);
		if (folder !== body) continue;
		if (weights.files.length === 0) choice.missing.push(`${folder}model.safetensors`);
		// Modules and adapters may do without.
		const config = `${folder}config.json`;
		const isAlone = modules.length === 0 && !known.has('adapter_config.json');
		if (isAlone && !known.has(config)) choice.missing.push(config);
		// Code is never run, but belongs to what is saved.
		const hasCode = known.has(config) && entryOf(await read(config), 'auto_map') !== undefined;
		if (hasCode) choice.files.push(...inside.filter(name => name.endsWith('.py')));
	}
	return choice;
}

function isDescription(base: string): boolean {
	// tokenizer_config.json, sentence_bert_config.json, adapter_config.json.
	return described.has(base) || /^[\w-]+_config\.json$/.test(base);
}

type Place = {folder: string; known: ReadonlySet<string>; read: ReadJson};

async function weightsOf({folder, known, read}: Place): Promise<Choice> {
	const adapter = adapterFiles.map(name => folder + name).find(name => known.has(name));
	const adapters = adapter === undefined ? [] : [adapter];
	for (const {whole, index} of weightFiles) {
		if (known.has(folder + whole)) return {files: [folder + whole, ...adapters], missing: []};
		if (!known.has(folder + index)) continue;
		const shards = shardsOf(await read(folder + index)).map(name => folder + name);
		return {
			files: [folder + index, ...shards.filter(name => known.has(name)), ...adapters],
			missing: shards.filter(name => !known.has(name)),
		};
	}
	return {files: adapters, missing: []};
}

/** The folders of modules.json, each with a slash at its end; the root is empty. */
function foldersOf(modules: unknown): string[] {
	if (!Array.isArray(modules)) return [];
	return modules.map((module: unknown) => {
		const path = entryOf(module, 'path');
		const parts = typeof path === 'string' ? path.split('/') : [];
		const inside = parts.filter(part => part !== '' && part !== '.');
		return inside.map(part => `${part}/`).join('');
	});
}

function shardsOf(index: unknown): string[] {
	const map = entryOf(index, 'weight_map');
	if (typeof map !== 'object' || map === null) return [];
	return [...new Set(Object.values(map))].filter(name => typeof name === 'string');
}

function entryOf(value: unknown, key: string): unknown {
	return typeof value === 'object' && value !== null
		? (value as Record<string, unknown>)[key]
		: undefined;
}

function folderOf(name: string): string {
	return name.slice(0, name.lastIndexOf('/') + 1);
}

function baseOf(name: string): string {
	return name.slice(name.lastIndexOf('/') + 1);
}
