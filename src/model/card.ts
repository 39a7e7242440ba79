// The model card (README.md) of a saved model.

import type {ModelFolder} from './folder.js';

export type CardFacts = {
	/** Lines about how the model was made, in Markdown. */
	training?: string;
};

/** A card with what sentence-transformers and the hub read from it. */
export function modelCard(
	{spec, maxLength, family}: ModelFolder,
	width: number,
	facts: CardFacts = {},
): string {
	const {pooling, normalize} = spec.head;
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

A ${family.name} encoder: ${spec.blocks.length} blocks of width ${spec.width}, ${pooling.join(' + ')} pooling${
		normalize ? ', unit length' : ''
	}, texts of up to ${maxLength} tokens.

\`\`\`ts
import {EmbeddingModel} from 'inbatch';

const model = await EmbeddingModel.load('path/to/this/folder');
const {data, rows, width} = await model.encode(['a text']);
\`\`\`

\`\`\`python
from sentence_transformers import SentenceTransformer

vectors = SentenceTransformer("path/to/this/folder").encode(["a text"])
\`\`\`
${facts.training ? `\n## Training\n\n${facts.training}\n` : ''}`;
}
