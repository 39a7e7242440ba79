// What the hub's refusals and broken connections mean, as errors. No message holds a token.

import {EngineError} from '../errors.js';
import type {ModelId} from './id.js';
import type {HubSettings} from './settings.js';

type Refused = {status: number; headers: {get(name: string): string | null}; host: string};

/** The error of a status from 400 on. */
export function refusal(
	{status, headers, host}: Refused,
	{id, revision}: ModelId,
	{endpoint, token}: HubSettings,
): EngineError {
	const reason = headers.get('x-error-code');
	if (reason === 'GatedRepo') {
		return new EngineError(
			'HUB_DENIED',
			`${id}: expected a model that is open to you, got a gated one (${status}); ` +
				`accept its conditions at ${endpoint}/${id} and set HF_TOKEN`,
		);
	}
	if (status === 404 || reason === 'RepoNotFound') return notFound(reason, {id, revision}, host);
	if (status === 401 || status === 403) {
		const hint = token
			? `the token that was sent does not open it; see ${endpoint}/settings/tokens`
			: 'if it is private or gated, set HF_TOKEN; if not, look at the id';
		return new EngineError(
			'HUB_DENIED',
			`${id}: expected a model that may be read, got ${status} from ${host}; ${hint}`,
		);
	}
	return odd(status, headers.get('retry-after'), {id, host});
}

function notFound(reason: string | null, {id, revision}: ModelId, host: string): EngineError {
	const message =
		reason === 'RevisionNotFound'
			? `${id}: expected revision ${revision} at ${host}, got no such branch, tag or commit`
			: `${id}: expected a folder here, or a model of this id` +
				`${revision === 'main' ? '' : ` with revision ${revision}`} at ${host}, got neither; ` +
				'look at the spelling; a private model needs HF_TOKEN';
	return new EngineError('MODEL_NOT_FOUND', message);
}

function odd(
	status: number,
	retryAfter: string | null,
	{id, host}: {id: string; host: string},
): EngineError {
	const isLater = status === 408 || status === 429 || status >= 500;
	const hint =
		status === 407
			? 'HTTPS_PROXY needs a name and a password'
			: status === 429 && retryAfter !== null
				? `try again in ${retryAfter} s; with HF_TOKEN more is allowed`
				: 'try again later';
	return new EngineError(
		isLater || status === 407 ? 'HUB_UNREACHABLE' : 'HUB_ANSWER',
		`${id}: expected an answer of ${host}, got status ${status}; ${hint}`,
	);
}

/** The error of a connection that failed. One that is an error of ours comes back as it is. */
export function unreachable(host: string, error: unknown): EngineError {
	if (error instanceof EngineError) return error;
	return new EngineError(
		'HUB_UNREACHABLE',
		`${host}: expected an answer, got ${causeOf(error)}; look at the network and at HTTPS_PROXY, ` +
			'or use what the cache has with --offline',
		{cause: error},
	);
}

// What went wrong stands in the innermost cause; of several addresses tried, in the first.
function causeOf(error: unknown): string {
	let inner = error;
	for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
		const next = inner instanceof AggregateError ? inner.errors[0] : inner.cause;
		if (next === undefined) break;
		inner = next;
	}
	if (!(inner instanceof Error)) return String(inner);
	const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined;
	return code === undefined || inner.message.includes(code)
		? inner.message
		: `${code}, ${inner.message}`;
}
