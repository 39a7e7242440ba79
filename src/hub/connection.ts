// The one way to the network: proxies by their variables, a limit on silence, redirects followed by
// hand so that the token reaches the endpoint and no other host, and every failure as an error.

import {type Dispatcher, EnvHttpProxyAgent, fetch, type Headers, type Response} from 'undici';
import {EngineError} from '../errors.js';
import type {RepositoryId} from './id.js';
import {refusal, unreachable} from './refusals.js';
import type {HubSettings} from './settings.js';

export type Answer = {
	status: number;
	headers: Headers;
	/** Of the endpoint itself, before it redirected to another host. */
	first: Headers;
	/** The body, in pieces. */
	pieces: AsyncIterable<Uint8Array>;
	/** Leaves what is not read; to be called in any case. */
	close: () => Promise<void>;
};

export type Request = {
	method?: 'GET' | 'HEAD';
	headers?: Record<string, string>;
	signal?: AbortSignal | undefined;
};

const mostRedirects = 10;
const longestPage = 64 * 2 ** 20;

/** Requests about one repository. `dispose` closes the sockets. */
export class HubConnection {
	readonly settings: HubSettings;
	readonly repository: RepositoryId;
	readonly #agent: Dispatcher;

	constructor(settings: HubSettings, repository: RepositoryId) {
		const {http, https} = settings.proxies;
		this.settings = settings;
		this.repository = repository;
		this.#agent = new EnvHttpProxyAgent({
			// Empty is none: the variables were read already.
			httpProxy: http ?? '',
			httpsProxy: https ?? '',
			// Proxies let a tunnel through to port 443 only, as a rule.
			proxyTunnel: false,
			// Silence is watched here.
			headersTimeout: 0,
			bodyTimeout: 0,
		});
	}

	/** An answer that is no refusal, its body still to come. */
	async request(address: string, {method = 'GET', headers = {}, signal}: Request): Promise<Answer> {
		const watch = watchSilence(new URL(address).host, this.settings.timeout, signal);
		try {
			const {response, first} = await this.#follow(address, {method, headers}, watch);
			const close = async () => {
				watch.rest();
				await response.body?.cancel().catch(() => undefined);
			};
			const answer = {status: response.status, headers: response.headers, first};
			if (answer.status < 400 || answer.status === 416) {
				return {...answer, pieces: piecesOf(response, watch), close};
			}
			await close();
			throw refusal({...answer, host: new URL(response.url).host}, this.repository, this.settings);
		} catch (error) {
			watch.rest();
			signal?.throwIfAborted();
			throw unreachable(new URL(address).host, error);
		}
	}

	/** What the hub's client is given to fetch with: pages, read whole. */
	fetching(signal?: AbortSignal): typeof globalThis.fetch {
		return async (input, init) => {
			const address = String(input);
			const headers = Object.fromEntries(new globalThis.Headers(init?.headers));
			const answer = await this.request(address, {headers, signal});
			try {
				const body = await wholeOf(answer.pieces, new URL(address).host);
				const link = answer.headers.get('link');
				return new globalThis.Response(body, {headers: link === null ? {} : {link}});
			} finally {
				await answer.close();
			}
		};
	}

	async dispose(): Promise<void> {
		await this.#agent.destroy();
	}

	async #follow(
		address: string,
		{method, headers}: {method: string; headers: Record<string, string>},
		watch: Watch,
	): Promise<{response: Response; first: Headers}> {
		let url = new URL(address);
		let first: Headers | undefined;
		for (let hop = 0; hop <= mostRedirects; hop++) {
			watch.wait();
			const response = await fetch(url, {
				method,
				headers: {...headers, 'user-agent': 'inbatch', ...this.#authorization(url)},
				redirect: 'manual',
				dispatcher: this.#agent,
				signal: watch.signal,
			});
			const location = response.headers.get('location');
			const isRedirect = [301, 302, 303, 307, 308].includes(response.status);
			watch.rest();
			if (!isRedirect || location === null) return {response, first: first ?? response.headers};
			first ??= response.headers;
			await response.body?.cancel();
			url = targetOf(location, url);
		}
		throw new EngineError(
			'HUB_ANSWER',
			`${url.host}: expected an answer, got more than ${mostRedirects} redirects`,
		);
	}

	#authorization(url: URL): Record<string, string> {
		const {token, endpoint} = this.settings;
		const isEndpoint = url.origin === new URL(endpoint).origin;
		return token !== undefined && isEndpoint ? {authorization: `Bearer ${token}`} : {};
	}
}

function targetOf(location: string, from: URL): URL {
	const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
	if (target && /^https?:$/.test(target.protocol)) return target;
	throw new EngineError(
		'HUB_ANSWER',
		`${from.host}: expected a redirect to an address of the web, got another`,
	);
}

type Watch = {
	signal: AbortSignal;
	/** From now on something has to arrive. */
	wait: () => void;
	/** Nothing is waited for. */
	rest: () => void;
};

/** Ends a connection that says nothing for so long. */
function watchSilence(host: string, timeout: number, signal?: AbortSignal): Watch {
	const controller = new AbortController();
	let timer: NodeJS.Timeout | undefined;
	const end = () => {
		const message = `${host}: expected an answer within ${timeout / 1000} s, got none`;
		const hint = 'HF_HUB_DOWNLOAD_TIMEOUT sets the seconds';
		controller.abort(new EngineError('HUB_UNREACHABLE', `${message}; ${hint}`));
	};
	const rest = () => clearTimeout(timer);
	const wait = () => {
		rest();
		timer = setTimeout(end, timeout);
	};
	return {
		signal: signal ? AbortSignal.any([signal, controller.signal]) : controller.signal,
		wait,
		rest,
	};
}

/** While a piece is worked on nothing is waited for, so a slow disk breaks no connection. */
async function* piecesOf(response: Response, watch: Watch): AsyncIterable<Uint8Array> {
	try {
		watch.wait();
		for await (const piece of response.body ?? []) {
			watch.rest();
			yield piece as Uint8Array;
			watch.wait();
		}
	} catch (error) {
		if (watch.signal.aborted) throw watch.signal.reason;
		throw unreachable(new URL(response.url).host, error);
	} finally {
		watch.rest();
	}
}

async function wholeOf(pieces: Answer['pieces'], host: string): Promise<Buffer> {
	const parts: Uint8Array[] = [];
	let size = 0;
	for await (const piece of pieces) {
		size += piece.length;
		parts.push(piece);
		if (size <= longestPage) continue;
		throw new EngineError(
			'HUB_ANSWER',
			`${host}: expected a page of at most ${longestPage} bytes, got more`,
		);
	}
	return Buffer.concat(parts);
}
