// What the hub's refusals and broken connections mean, as errors. No message holds a token.

import {EngineError} from '../errors.js';
import {placeOf, type RepositoryId} from './id.js';
import type {HubSettings} from './settings.js';

type Refused = {status: number; headers: {get(name: string): string | null}; host: string};

/** The error of a status from 400 on. */
export function refusal(
	{status, headers, host}: Refused,
	repository: RepositoryId,
	{endpoint, token}: HubSettings,
): EngineError {
	const {id} = repository;
	const what = wordOf(repository);
	const reason = headers.get('x-error-code');
	if (reason === 'GatedRepo') {
		return new EngineError(
			'HUB_DENIED',
			`${id}: expected a ${what} that is open to you, got a gated one (${status}); ` +
				`accept its conditions at ${endpoint}/${placeOf(repository)} and set HF_TOKEN`,
		);
	}
	if (status === 404 || reason === 'RepoNotFound') return notFound(reason, repository, host);
	if (status === 401 || status === 403) {
		const hint = token
			? `the token that was sent does not open it; see ${endpoint}/settings/tokens`
			: 'if it is private or gated, set HF_TOKEN; if not, look at the id';
		return new EngineError(
			'HUB_DENIED',
			`${id}: expected a ${what} that may be read, got ${status} from ${host}; ${hint}`,
		);
	}
	return odd(status, headers.get('retry-after'), {id, host});
}

function wordOf({kind}: RepositoryId): string {
	return kind === 'dataset' ? 'data set' : 'model';
}

function notFound(reason: string | null, repository: RepositoryId, host: string): EngineError {
	const {id, revision, kind} = repository;
	const wanted =
		kind === 'dataset' ? 'a data set of this id' : 'a folder here, or a model of this id';
	const got = kind === 'dataset' ? 'none' : 'neither';
	const message =
		reason === 'RevisionNotFound'
			? `${id}: expected revision ${revision} at ${host}, got no such branch, tag or commit`
			: `${id}: expected ${wanted}` +
				`${revision === 'main' ? '' : ` with revision ${revision}`} at ${host}, got ${got}; ` +
				`look at the spelling; a private ${wordOf(repository)} needs HF_TOKEN`;
	return new EngineError(kind === 'dataset' ? 'FILE_NOT_FOUND' : 'MODEL_NOT_FOUND', message);
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
