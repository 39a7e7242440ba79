// The presets by name. Each is loaded when it is asked for.

import {EngineError} from '../errors.js';
import {nearest} from '../option-names.js';
import type {Preset} from './table.js';

const presets = {
	itrex: async () => (await import('./itrex.js')).itrex,
	'llm-embedder': async () => (await import('./llm-embedder.js')).llmEmbedder,
	'nemo-sbert': async () => (await import('./nemo-sbert.js')).nemoSbert,
	'open-retrievals': async () => (await import('./open-retrievals.js')).openRetrievals,
	'rag-retrieval': async () => (await import('./rag-retrieval.js')).ragRetrieval,
} as const satisfies Record<string, () => Promise<Preset>>;

export const presetNames = Object.keys(presets);

export async function loadPreset(name: string): Promise<Preset> {
	if (Object.hasOwn(presets, name)) return presets[name as keyof typeof presets]();
	const expected = `expected one of ${presetNames.join(', ')}`;
	const hint = `did you mean ${nearest(name, presetNames)}?`;
	throw new EngineError('OPTION_RANGE', `--preset: ${expected}, got ${name}; ${hint}`);
}
