// Lengths that a documented command asks for and a model has no positions for.

import {readModelFolder} from '../model/folder.js';
import {locateModel} from '../model/locate.js';
import {kebabCase} from '../option-names.js';
import type {OurName} from './table.js';
import type {Translated} from './translation.js';

type Options = Map<OurName, Translated>;

/** Cuts the lengths of queries and documents to what the model can, and says so. */
export async function fitLengths(options: Options, say: (text: string) => void): Promise<void> {
	const longest = await longestOf(options);
	for (const key of ['queryMaxLength', 'documentMaxLength'] as const) {
		const asked = options.get(key);
		if (longest === undefined || !asked || !(Number(asked.value) > longest)) continue;
		const name = asked.places.join(', ') || `--${kebabCase(key)}`;
		say(`${name}: ${asked.value} tokens, the model has positions for ${longest}, which is used`);
		options.set(key, {...asked, value: longest});
	}
}

/** The positions of the model; nothing while it is not on this machine. */
async function longestOf(options: Options): Promise<number | undefined> {
	const source = options.get('model')?.value;
	if (typeof source !== 'string') return undefined;
	const cache = options.get('cache')?.value;
	try {
		const {path} = await locateModel(source, {
			offline: true,
			...(typeof cache === 'string' && {cache}),
		});
		return (await readModelFolder(path, {pooling: 'mean'})).longest;
	} catch {
		return undefined; // loading it for the run says why
	}
}
