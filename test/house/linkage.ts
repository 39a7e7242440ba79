// Of two inline functions, or structs, of one name that other files can see, the linker takes either: a
// kernel would run with what another file means by that name.

import type {Sources} from './arrows.js';

const seen =
	/^(?:(?:DEVICE|INBATCH_HOST_DEVICE|inline)\b[^=;({]*?\b(\w+)\(|(?:struct|class|union) (?:alignas\(\w+\) )?(\w+)[^;]*\{)/;

/** Names that two files of native/cuda define outside unnamed namespaces: `name: file, file`. */
export function sharedNames(sources: Sources): string[] {
	const files = new Map<string, Set<string>>();
	for (const [path, text] of sources) {
		if (!path.startsWith('cuda/')) continue;
		for (const name of namesSeen(text)) files.set(name, (files.get(name) ?? new Set()).add(path));
	}
	return [...files]
		.filter(([, paths]) => paths.size > 1)
		.map(([name, paths]) => `${name}: ${[...paths].join(', ')}`);
}

// Definitions of a namespace begin a line (the formatter sees to it); a template's arguments are a part
// of its name.
function namesSeen(text: string): string[] {
	const names: string[] = [];
	let isUnnamed = false;
	let before = '';
	for (const line of text.split('\n')) {
		if (line === 'namespace {') isUnnamed = true;
		if (line === '}  // namespace') isUnnamed = false;
		const [, called, type] = seen.exec(line) ?? [];
		const name = called ?? type;
		if (name && !isUnnamed && !before.startsWith('template')) names.push(name);
		before = line;
	}
	return names;
}
