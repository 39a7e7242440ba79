// The model card (README.md) of a saved model.

import type {ModelFolder} from './folder.js';
import {isUnpooled} from './token-head.js';

export type CardFacts = {
	/** Lines about how the model was made, in Markdown. */
	training?: string;
	/** What it was mixed of. */
	mixture?: string;
};

/** A card with what sentence-transformers and the hub read from it. */
export function modelCard(
	folders: readonly ModelFolder[],
	width: number,
	facts: CardFacts = {},
): string {
	const folder = folders[0]!;
	const warnings = folder.saveWarnings.map(warning => `\nNote: ${warning}.\n`).join('');
	const options = folders.some(({remoteCode}) => remoteCode) ? ', trust_remote_code=True' : '';
	const isOfTokens = isUnpooled(folder.spec.head);
	const what = isOfTokens ? 'Token vectors' : 'Text embeddings';
	const reader = isOfTokens ? 'MultiVectorEncoder' : 'SentenceTransformer';
	const [given, call] = isOfTokens
		? ['data, offsets, width', 'encodeTokens']
		: ['data, rows, width', 'encode'];
	const [route, method] =
		folders.length > 1 ? [", {route: 'query'}", 'encode_query'] : ['', 'encode'];
	return `---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- feature-extraction
- sentence-similarity
- inbatch
---

# ${what} of ${width} dimensions

${folders.map(descriptionOf).join('\n\n')}

\`\`\`ts
import {EmbeddingModel} from 'inbatch';

const model = await EmbeddingModel.load('path/to/this/folder');
const {${given}} = await model.${call}(['a text']${route});
\`\`\`

\`\`\`python
from sentence_transformers import ${reader}

vectors = ${reader}("path/to/this/folder"${options}).${method}(["a text"])
\`\`\`
${warnings}${section('Training', facts.training)}${section('Mixture', facts.mixture)}`;
}

function section(title: string, text: string | undefined): string {
	return text ? `\n## ${title}\n\n${text}\n` : '';
}

function descriptionOf({spec, family, modules, maxLength, route}: ModelFolder): string {
	const {blocks, embedding, head, width} = spec;
	const of = route === undefined ? '' : `Of the ${route}: `;
	const unit = head.normalize ? ', unit length' : '';
	if (modules.isStatic) {
		return `${of}The mean of a table of ${embedding.vocabulary} tokens of width ${width}${unit}.`;
	}
	const length = maxLength < 1e9 ? `, texts of up to ${maxLength} tokens` : '';
	const pooling = isUnpooled(head) ? 'no pooling' : `${head.pooling.join(' + ')} pooling`;
	const layers = `${blocks.length} blocks of width ${width}`;
	return `${of}A ${family.name} encoder: ${layers}, ${pooling}${unit}${length}.`;
}
