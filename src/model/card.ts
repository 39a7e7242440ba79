// The model card (README.md) of a saved model.

import type {ModelFolder} from './folder.js';

export type CardFacts = {
	/** Lines about how the model was made, in Markdown. */
	training?: string;
	/** What it was mixed of. */
	mixture?: string;
};

/** A card with what sentence-transformers and the hub read from it. */
export function modelCard(folder: ModelFolder, width: number, facts: CardFacts = {}): string {
	const warnings = folder.saveWarnings.map(warning => `\nNote: ${warning}.\n`).join('');
	const options = folder.remoteCode ? ', trust_remote_code=True' : '';
	return `---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- feature-extraction
- sentence-similarity
- inbatch
---

# Text embeddings of ${width} dimensions

${descriptionOf(folder)}

\`\`\`ts
import {EmbeddingModel} from 'inbatch';

const model = await EmbeddingModel.load('path/to/this/folder');
const {data, rows, width} = await model.encode(['a text']);
\`\`\`

\`\`\`python
from sentence_transformers import SentenceTransformer

vectors = SentenceTransformer("path/to/this/folder"${options}).encode(["a text"])
\`\`\`
${warnings}${section('Training', facts.training)}${section('Mixture', facts.mixture)}`;
}

function section(title: string, text: string | undefined): string {
	return text ? `\n## ${title}\n\n${text}\n` : '';
}

function descriptionOf({spec, family, modules, maxLength}: ModelFolder): string {
	const {blocks, embedding, head, width} = spec;
	const unit = head.normalize ? ', unit length' : '';
	if (modules.isStatic) {
		return `The mean of a table of ${embedding.vocabulary} tokens of width ${width}${unit}.`;
	}
	const length = maxLength < 1e9 ? `, texts of up to ${maxLength} tokens` : '';
	const pooling = `${head.pooling.join(' + ')} pooling`;
	const layers = `${blocks.length} blocks of width ${width}`;
	return `A ${family.name} encoder: ${layers}, ${pooling}${unit}${length}.`;
}
