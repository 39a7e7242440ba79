// Losses that compare the vectors of tokens, and the models that hand them up.

import {EngineError} from '../errors.js';
import type {Loss} from '../loss/loss.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {expectTokens, isUnpooled} from '../model/token-head.js';
import {tokenWarning} from '../model/token-modules.js';
import type {EvaluationSource} from './evaluations.js';

/** Refuses a loss and a model, or evaluations, of which one has a vector a text and the other of each token. */
export function expectRowsFor(
	{name, needs}: Loss,
	{folder}: EmbeddingModel,
	{sources, excludePrompt}: {sources: readonly EvaluationSource[]; excludePrompt: boolean},
): void {
	if (!needs?.tokens) {
		if (!isUnpooled(folder.spec.head)) return;
		const expected = `expected a model of one vector a text for the loss ${name}`;
		const message = `train: ${expected}, got one of token vectors; use late-interaction`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	expectTokens(folder);
	if (excludePrompt) {
		const message = `exclude-prompt: expected it with a pooling, got the loss ${name}, which has none`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	const pairs = sources.find(({kind}) => kind === 'sts');
	if (!pairs) return;
	const expected = `expected retrieval sets with the loss ${name}`;
	const why = 'they compare one vector a text, which its model has not';
	const message = `eval: ${expected}, got the scored pairs ${pairs.name}; ${why}`;
	throw new EngineError('OPTION_CONFLICT', message);
}

/** Takes the pooling from a model that is to hand up token vectors, and says what that means. */
export function settleRows(
	{name, needs}: Loss,
	model: EmbeddingModel,
	onMessage: ((message: string) => void) | undefined,
): void {
	const {pooling} = model.folder.spec.head;
	if (!needs?.tokens || pooling.length === 0) return;
	onMessage?.(`${name}: the model's pooling (${pooling.join(' + ')}) is left out; ${tokenWarning}`);
	model.handUpTokens();
}
