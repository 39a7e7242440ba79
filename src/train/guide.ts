// A guide: another model, which stays as it is and says which texts of a batch are alike, so that the mask
// of that name takes likely false negatives out.

import type {RowTexts} from '../data/rows.js';
import {EngineError} from '../errors.js';
import type {Loss} from '../loss/loss.js';
import {EmbeddingModel} from '../model/embedding-model.js';
import {documentPrompt} from '../model/outer-config.js';

export class Guide {
	readonly #model: EmbeddingModel;

	private constructor(model: EmbeddingModel) {
		this.#model = model;
	}

	/** The guide of a run; refused where the loss asks for none, and the other way round. */
	static async open(
		source: string | undefined,
		{name, needs}: Loss,
		options: {threads: number; signal?: AbortSignal | undefined},
	): Promise<Guide | undefined> {
		if (source === undefined && !needs?.guide) return undefined;
		if (source === undefined) {
			const message = `guide: expected a model for the mask guide of ${name}, got none`;
			throw new EngineError('OPTION_MISSING', message);
		}
		if (!needs?.guide) {
			const message = `guide: expected a loss with the mask guide, got ${name} without`;
			throw new EngineError('OPTION_CONFLICT', message);
		}
		return new Guide(await EmbeddingModel.load(source, options));
	}

	get fingerprint(): string {
		return this.#model.fingerprint;
	}

	/** Its vectors of the columns of a batch: queries, positives and, when there are any, negatives. */
	async read(rows: readonly RowTexts[], signal?: AbortSignal): Promise<Float32Array[]> {
		const {prompts} = this.#model;
		const [query, document] = [prompts['query'] ?? '', documentPrompt(prompts) ?? ''];
		const negatives = rows.flatMap(row => row.negatives);
		const ofDocuments = {promptText: document, ...this.#model.side('document')};
		const columns = [
			{texts: rows.map(row => row.query), promptText: query, ...this.#model.side('query')},
			{texts: rows.flatMap(positivesOf), ...ofDocuments},
			...(negatives.length > 0 ? [{texts: negatives, ...ofDocuments}] : []),
		];
		const vectors: Float32Array[] = [];
		for (const {texts, ...options} of columns) {
			vectors.push((await this.#model.encode(texts, {...options, signal})).data);
		}
		return vectors;
	}

	async dispose(): Promise<void> {
		await this.#model.dispose();
	}
}

/** A text alone is its own positive. */
function positivesOf({query, positive = query, morePositives = []}: RowTexts): string[] {
	return [positive, ...morePositives];
}
