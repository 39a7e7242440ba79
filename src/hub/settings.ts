// What the options and the variables of the hub come to: where, with which token, into which cache.
// The precedence is that of the reference client. The token stays in here and in the headers sent.

import {readFile} from 'node:fs/promises';
import {homedir} from 'node:os';
import {join, resolve} from 'node:path';
import {z} from 'zod';
import {EngineError} from '../errors.js';
import {readFailure, systemCode} from '../files/failures.js';

const group = 'Model:';

/** What the library and the command line share. */
export const hubOptions = z.object({
	revision: z.string().min(1).optional().meta({
		description: 'branch, tag or commit of a model of the hub (default: main)',
		placeholder: 'NAME',
		group,
	}),
	cache: z.string().min(1).optional().meta({
		description: 'folder of downloaded models (default: as the variables of the hub say)',
		placeholder: 'DIR',
		group,
	}),
	offline: z.boolean().optional().meta({
		description: 'never touch the network: models of the hub come from the cache or not at all',
		group,
	}),
});

/** With what only the library takes; a token has no place on a command line. */
export const hubLoadOptions = hubOptions.extend({
	token: z.string().min(1).optional().describe('for gated and private models (default: HF_TOKEN)'),
	endpoint: z.string().min(1).optional().describe('the hub or a mirror (default: HF_ENDPOINT)'),
});

export type HubOptions = {
	/** Branch, tag or commit. Default main. */
	revision?: string | undefined;
	/** The folder of downloaded models. Default: HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub. */
	cache?: string | undefined;
	/** Never touch the network. Default: HF_HUB_OFFLINE. */
	offline?: boolean | undefined;
	/** Sent to the endpoint and to no other host. Default: HF_TOKEN, or the file of the login. */
	token?: string | undefined;
	/** The hub or a mirror of it. Default: HF_ENDPOINT, https://huggingface.co. */
	endpoint?: string | undefined;
};

export type HubSettings = {
	endpoint: string;
	cache: string;
	token: string | undefined;
	isOffline: boolean;
	/** Milliseconds without a byte after which a connection counts as broken. */
	timeout: number;
	/** Whether snapshots are links to the blobs; otherwise copies of them. */
	hasLinks: boolean;
	proxies: {http: string | undefined; https: string | undefined};
};

const standardEndpoint = 'https://huggingface.co';
const standardSeconds = 10;

/** The variables are read at each call, so that a program may set them. */
export async function readHubSettings(options: HubOptions): Promise<HubSettings> {
	const isOffline = options.offline ?? (isOn('HF_HUB_OFFLINE') || isOn('TRANSFORMERS_OFFLINE'));
	return {
		endpoint: endpointOf(options.endpoint),
		cache: cacheFolder(options.cache),
		token: isOffline ? undefined : await tokenOf(options.token),
		isOffline,
		timeout: timeoutOf(),
		hasLinks: !isOn('HF_HUB_DISABLE_SYMLINKS'),
		proxies: {
			http: proxyOf('http_proxy', 'HTTP_PROXY'),
			https: proxyOf('https_proxy', 'HTTPS_PROXY'),
		},
	};
}

/** The folder of downloaded models, as an absolute path. */
export function cacheFolder(asked?: string): string {
	const {HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE} = process.env;
	const folder = asked || HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(homeFolder(), 'hub');
	return resolve(expanded(folder));
}

/** Whether a variable is set to 1, true, yes or on. */
export function isOn(variable: string): boolean {
	return ['1', 'true', 'yes', 'on'].includes((process.env[variable] ?? '').trim().toLowerCase());
}

function homeFolder(): string {
	const {HF_HOME, XDG_CACHE_HOME} = process.env;
	return expanded(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'));
}

function expanded(path: string): string {
	return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

function endpointOf(asked: string | undefined): string {
	const given = asked || process.env['HF_ENDPOINT'] || standardEndpoint;
	const url = URL.canParse(given) ? new URL(given) : undefined;
	// One with a password is not shown.
	const isPlain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password;
	if (isPlain && !url.search && !url.hash) return url.href.replace(/\/+$/, '');
	const name = asked ? 'endpoint' : 'HF_ENDPOINT';
	throw new EngineError(
		'OPTION_RANGE',
		`${name}: expected an address as ${standardEndpoint}, without name, password or query, ` +
			`got ${url ? 'another' : JSON.stringify(given)}`,
	);
}

async function tokenOf(asked: string | undefined): Promise<string | undefined> {
	if (asked !== undefined) return checked(asked, 'token');
	if (isOn('HF_HUB_DISABLE_IMPLICIT_TOKEN')) return undefined;
	const {HF_TOKEN, HF_TOKEN_PATH} = process.env;
	if (HF_TOKEN?.trim()) return checked(HF_TOKEN, 'HF_TOKEN');
	const path = HF_TOKEN_PATH ? expanded(HF_TOKEN_PATH) : join(homeFolder(), 'token');
	const text = await readFile(path, 'utf8').catch(error => {
		if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return '';
		throw readFailure(path, error);
	});
	return text.trim() === '' ? undefined : checked(text, path);
}

/** What could not be sent as a header is refused here, where no message can show it. */
function checked(token: string, where: string): string {
	const trimmed = token.trim();
	if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed;
	throw new EngineError(
		'OPTION_RANGE',
		`${where}: expected a token of printable characters without blanks, got others`,
	);
}

function timeoutOf(): number {
	const text = process.env['HF_HUB_DOWNLOAD_TIMEOUT']?.trim();
	const seconds = text ? Number(text) : standardSeconds;
	if (seconds > 0 && seconds <= 86400) return seconds * 1000;
	throw new EngineError(
		'OPTION_RANGE',
		`HF_HUB_DOWNLOAD_TIMEOUT: expected seconds above 0, at most 86400, got ${text}`,
	);
}

/** The proxy of one of two spellings; without a scheme it is one of HTTP. */
function proxyOf(...names: readonly string[]): string | undefined {
	const name = names.find(one => process.env[one] !== undefined);
	const given = (name && process.env[name]?.trim()) || '';
	if (name === undefined || given === '') return undefined;
	const address = given.includes('://') ? given : `http://${given}`;
	if (URL.canParse(address) && /^(https?|socks5?):/.test(address)) return address;
	throw new EngineError(
		'OPTION_RANGE',
		`${name}: expected a proxy as http://host:8080, got another`,
	);
}
