// Models that hand up the vectors of tokens instead of one vector a text (late interaction), and how a
// model becomes one.

import {EngineError} from '../errors.js';
import type {ModelFolder} from './folder.js';
import type {HeadSpec} from './spec.js';
import {tokenWarning} from './token-modules.js';

/** Whether the rows of tokens are handed up. */
export function isUnpooled({pooling}: Pick<HeadSpec, 'pooling'>): boolean {
	return pooling.length === 0;
}

/** Why a model cannot hand up the rows of its tokens; nothing where it can. */
function hindrance({modules, spec, route}: ModelFolder): string | undefined {
	if (route !== undefined) return 'a tower of queries and one of documents';
	if (modules.isStatic) return 'a StaticEmbedding';
	if (modules.layerMean) return 'a mean of several layers';
	if (spec.head.pooling.includes('gem')) return 'the pooling gem';
	if (spec.head.pooling.length > 1) return `the poolings ${spec.head.pooling.join(' + ')}`;
	return modules.dense.some(({kind}) => kind !== 'Dense')
		? 'a layer other than Dense behind the pooling'
		: undefined;
}

/** Refuses a model of which rows of tokens have no meaning. */
export function expectTokens(folder: ModelFolder): void {
	const reason = hindrance(folder);
	if (reason === undefined) return;
	const expected = 'expected a transformer with at most one pooling and Dense modules';
	throw new EngineError(
		'MODEL_POOLING',
		`${folder.path}: token vectors: ${expected}, got ${reason}`,
	);
}

/** The same model without its pooling: Dense modules see tokens, whose vectors have length 1. */
export function withoutPooling(folder: ModelFolder): ModelFolder {
	if (isUnpooled(folder.spec.head)) return folder;
	expectTokens(folder);
	const head = {...folder.spec.head, pooling: [], normalize: true};
	return {
		...folder,
		spec: {...folder.spec, head},
		similarity: null,
		truncateDim: null,
		saveWarnings: [...folder.saveWarnings, tokenWarning],
	};
}
