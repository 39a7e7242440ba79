// A hub on this machine, as far as a client of it goes: an endpoint that names commits, lists files in
// pages and redirects large files to a second server, which stands for the CDN. Every request is kept.

import {createHash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join, relative} from 'node:path';
import {onTestFinished} from 'vitest';

export type Seen = {
	server: 'hub' | 'cdn';
	method: string;
	path: string;
	authorization: string | undefined;
	range: string | undefined;
};

type Exchange = {request: IncomingMessage; response: ServerResponse};

/** Files by path. */
export type Tree = ReadonlyMap<string, Buffer>;

/** What goes wrong with a file, for a number of its downloads. */
export type Fault = {
	kind: 'cut' | 'silence' | 'other bytes' | 'too long' | 'no ranges' | 'bad range' | 'trickle';
	times: number;
};

export const commits = {main: 'a'.repeat(40), dev: 'b'.repeat(40), 'v1.0': 'c'.repeat(40)};

export class HubServer {
	readonly id = 'org/tiny';
	readonly seen: Seen[] = [];
	/** The commit of each branch and tag. */
	readonly refs = new Map<string, string>(Object.entries(commits));
	/** The one commit of each further repository, by its id. */
	readonly others = new Map<string, string>();
	/** The files of each commit; those of main where there are none. */
	readonly trees = new Map<string, Tree>();
	readonly faults = new Map<string, Fault>();
	/** More entries of the listing, as they are. */
	readonly listed: object[] = [];
	/** Without the right one there is no answer. */
	token: string | undefined;
	hasListing = true;
	pageSize = 3;
	/** What the endpoint has: models, or data sets, which lie in a folder of their own. */
	kind: 'model' | 'dataset' = 'model';
	/** Before the paths of the endpoint. */
	prefix = '';
	/** Instead of any answer. */
	refusal: {status: number; headers?: Record<string, string>} | undefined;
	readonly #hub: Server;
	readonly #cdn: Server;

	private constructor(tree: Tree) {
		this.trees.set(commits.main, tree);
		this.#hub = createServer((request, response) => this.#answer('hub', request, response));
		this.#cdn = createServer((request, response) => this.#answer('cdn', request, response));
	}

	/** Ends with the test. */
	static async open(tree: Tree): Promise<HubServer> {
		const server = new HubServer(tree);
		await Promise.all([listen(server.#hub), listen(server.#cdn)]);
		onTestFinished(() => server.close());
		return server;
	}

	get endpoint(): string {
		return `${addressOf(this.#hub)}${this.prefix}`;
	}

	/** What of the files was asked for, both servers together. */
	get files(): Seen[] {
		return this.seen.filter(({path}) => path.includes('/resolve/') || path.startsWith('/cdn/'));
	}

	/** Requests to the CDN for a file. */
	large(name: string): Seen[] {
		return this.seen.filter(({server, path}) => server === 'cdn' && path.endsWith(`/${name}`));
	}

	async close(): Promise<void> {
		await Promise.all([this.#hub, this.#cdn].map(server => close(server)));
	}

	#answer(server: Seen['server'], request: IncomingMessage, response: ServerResponse): void {
		const url = new URL(request.url ?? '/', 'http://here');
		const {authorization, range} = request.headers;
		const method = request.method ?? '';
		const path = decodeURIComponent(url.pathname);
		this.seen.push({server, method, path, authorization, range});
		const exchange = {request, response};
		if (server === 'cdn') this.#send(path.replace('/cdn/', ''), exchange);
		else if (this.token !== undefined && authorization !== `Bearer ${this.token}`) {
			refuse(response, 401, {'x-error-code': 'RepoNotFound'});
		} else if (this.refusal) refuse(response, this.refusal.status, this.refusal.headers);
		else this.#route(path.slice(this.prefix.length), url, exchange);
	}

	#route(path: string, url: URL, exchange: Exchange): void {
		const {response} = exchange;
		const id = [...this.others.keys()].find(other => path.includes(`/${other}/`)) ?? this.id;
		const api = `^/api/${this.kind}s/${id}`;
		const place = this.kind === 'model' ? id : `datasets/${id}`;
		const revision = new RegExp(`${api}/revision/(.+)$`).exec(path)?.[1];
		const commit = new RegExp(`${api}/tree/(.+)$`).exec(path)?.[1];
		const file = new RegExp(`^/${place}/resolve/([^/]+)/(.+)$`).exec(path);
		if (revision !== undefined) this.#revision(id, revision, response);
		else if (commit !== undefined && this.hasListing) this.#page(commit, url, response);
		else if (file) this.#resolve(file[1]!, file[2]!, exchange);
		else refuse(response, 404, {'x-error-code': 'RepoNotFound'});
	}

	#revision(id: string, revision: string, response: ServerResponse): void {
		const isCommit = [...this.refs.values()].includes(revision);
		const sha = this.others.get(id) ?? this.refs.get(revision) ?? (isCommit ? revision : undefined);
		if (sha === undefined) {
			refuse(response, 404, {'x-error-code': 'RevisionNotFound'});
			return;
		}
		const siblings = [...this.#tree(sha).keys()].map(rfilename => ({rfilename}));
		json(response, {_id: '1', id, sha, siblings, lastModified: '2024-01-01T00:00:00Z'});
	}

	#page(commit: string, url: URL, response: ServerResponse): void {
		const entries = [...this.#tree(commit)].map(([path, bytes]) => entryOf(path, bytes));
		const all = [...entries, ...this.listed];
		const begin = Number(url.searchParams.get('cursor') ?? 0);
		const end = begin + this.pageSize;
		const next = `${addressOf(this.#hub)}${url.pathname}?recursive=true&cursor=${end}`;
		if (end < all.length) response.setHeader('link', `<${next}>; rel="next"`);
		json(response, all.slice(begin, end));
	}

	#resolve(commit: string, name: string, exchange: Exchange): void {
		const {response} = exchange;
		const bytes = this.#tree(commit).get(name);
		response.setHeader('x-repo-commit', commit);
		if (!bytes) {
			refuse(response, 404, {'x-error-code': 'EntryNotFound'});
			return;
		}
		if (!isLarge(name)) {
			response.setHeader('etag', `"${gitId(bytes)}"`);
			this.#send(`${commit}/${name}`, exchange);
			return;
		}
		response.writeHead(302, {
			location: `${addressOf(this.#cdn)}/cdn/${commit}/${name}`,
			'x-linked-etag': `"${sha256(bytes)}"`,
			'x-linked-size': bytes.length,
		});
		response.end();
	}

	#send(place: string, {request, response}: Exchange): void {
		const [commit = '', ...parts] = place.split('/');
		const name = parts.join('/');
		const bytes = this.#tree(commit).get(name)!;
		const fault = this.faults.get(name);
		const isFaulty = fault !== undefined && fault.times-- > 0;
		send(bytes, {fault: isFaulty ? fault.kind : undefined, request, response});
	}

	#tree(commit: string): Tree {
		return this.trees.get(commit) ?? this.trees.get(commits.main)!;
	}
}

/** The files of a folder. */
export function treeOf(folder: string): Map<string, Buffer> {
	const entries = readdirSync(folder, {recursive: true, withFileTypes: true});
	const paths = entries.filter(entry => entry.isFile()).map(one => join(one.parentPath, one.name));
	return new Map(paths.sort().map(path => [relative(folder, path), readFileSync(path)]));
}

export function sha256(bytes: Buffer): string {
	return createHash('sha256').update(bytes).digest('hex');
}

/** The name that git gives to the content of a file. */
export function gitId(bytes: Buffer): string {
	return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

export async function listen(server: Server): Promise<void> {
	await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
}

export async function close(server: Server): Promise<void> {
	server.closeAllConnections();
	if (server.listening) await new Promise(resolve => server.close(resolve));
}

export function addressOf(server: Server): string {
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function isLarge(name: string): boolean {
	return /\.(safetensors|bin|onnx|parquet)$/.test(name);
}

function entryOf(path: string, bytes: Buffer): object {
	const entry = {type: 'file', path, size: bytes.length, oid: gitId(bytes)};
	if (!isLarge(path)) return entry;
	return {...entry, lfs: {oid: sha256(bytes), size: bytes.length, pointerSize: 130}};
}

type Sending = Exchange & {fault: Fault['kind'] | undefined};

function send(whole: Buffer, {fault, request, response}: Sending): void {
	const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
	if (fault === 'silence') return;
	if (asked !== undefined && fault === 'bad range') {
		refuse(response, 416, {});
		return;
	}
	const isRange = asked !== undefined && fault !== 'no ranges';
	const begin = isRange ? Number(asked) : 0;
	const bytes = fault === 'other bytes' ? Buffer.alloc(whole.length, 7) : whole;
	const range = `bytes ${begin}-${whole.length - 1}/${whole.length}`;
	const body = request.method === 'HEAD' ? Buffer.of() : bytes.subarray(begin);
	if (isRange) response.setHeader('content-range', range);
	if (fault !== 'too long') response.setHeader('content-length', whole.length - begin);
	response.statusCode = isRange ? 206 : 200;
	if (fault !== 'cut' && fault !== 'trickle') {
		response.write(body);
		response.end(fault === 'too long' ? 'more' : '');
		return;
	}
	response.write(body.subarray(0, Math.floor(body.length / 2)));
	// What was written has to be on its way before the connection ends.
	if (fault === 'cut') setTimeout(() => response.socket?.destroy(), 50);
}

function json(response: ServerResponse, value: unknown): void {
	response.setHeader('content-type', 'application/json');
	response.end(JSON.stringify(value));
}

function refuse(
	response: ServerResponse,
	status: number,
	headers: Record<string, string> = {},
): void {
	response.writeHead(status, {'content-type': 'application/json', ...headers});
	response.end(JSON.stringify({error: 'refused'}));
}
