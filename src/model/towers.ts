// One encoder for all texts, or two: a tower of queries and one of documents, each with a folder and a
// tokenizer of its own. Their parameters lie in one model, so that one optimizer step moves both.

import {physicalCores} from '../device.js';
import {EngineError} from '../errors.js';
import {Tokenizer} from '../tokenizer/tokenizer.js';
import {type FolderOptions, type ModelFolder, readModelFolder} from './folder.js';
import {type LocateOptions, locateModel} from './locate.js';
import {readRoutes} from './module-list.js';
import type {NewParts} from './new-parts.js';
import {documentPrompt} from './outer-config.js';
import {saveWarning} from './remote-code.js';
import type {Route} from './router.js';

export type Tower = {folder: ModelFolder; tokenizer: Tokenizer; number: 0 | 1};

/** The folders of the towers, the one of queries first, and whose texts are of which nothing is said. */
export type TowerFolders = {
	folders: readonly [ModelFolder, ...ModelFolder[]];
	defaultRoute: Route | null;
};

type Options = FolderOptions & NewParts & LocateOptions;

/** Reads everything but the weights: of one tower, or of two where the folder or the options say so. */
export async function readTowers(path: string, options: Options): Promise<TowerFolders> {
	const {towers, documentModel, init} = options;
	const known = await readRoutes(path);
	if (known) {
		if (towers === 'shared') throw conflict(`towers: expected separate, as ${path} has them`);
		if (documentModel !== undefined)
			throw conflict(`document-model: expected none, ${path} has one`);
		const query = await readModelFolder(path, options, 'query');
		const document = await readModelFolder(path, options, 'document');
		if (query.transformer === document.transformer) {
			query.warnings.push(
				`${path}: its towers share a transformer; here each has a copy of its own`,
			);
		}
		return {folders: joined(query, {...document, prompts: query.prompts}), ...known};
	}
	const folder = await readModelFolder(path, options);
	if (towers !== 'separate') return {folders: [folder], defaultRoute: null};
	if (documentModel !== undefined && init !== undefined) {
		throw conflict('document-model: expected none beside init, of which both towers begin');
	}
	const document = await documentFolder(documentModel, options);
	return {
		folders: joined({...folder, route: 'query'}, {...(document ?? folder), route: 'document'}),
		defaultRoute: 'document',
	};
}

async function documentFolder(
	source: string | undefined,
	options: Options,
): Promise<ModelFolder | undefined> {
	if (source === undefined) return undefined;
	const {path, warnings} = await locateModel(source, options);
	const route = (await readRoutes(path)) && 'document';
	const folder = await readModelFolder(path, options, route);
	return {...folder, warnings: [...warnings, ...folder.warnings]};
}

/** Two towers whose embeddings can be compared; what is said of both is said once, by the first. */
function joined(query: ModelFolder, document: ModelFolder): [ModelFolder, ModelFolder] {
	if (query.width !== document.width) {
		const got = `${query.width} of queries and ${document.width} of documents`;
		throw new EngineError(
			'OPTION_RANGE',
			`towers: expected embeddings of one width, got ${got}; --dense N gives both a Dense of N outputs`,
		);
	}
	const prompt = documentPrompt(document.prompts);
	const needed = saveWarning('only version 5.0 and newer know a Router of two towers');
	const saveWarnings = [needed, ...query.saveWarnings, ...document.saveWarnings];
	const prompts = {...query.prompts, ...(prompt !== undefined && {document: prompt})};
	const warnings = [...query.warnings, ...document.warnings];
	return [
		{...query, prompts, warnings: [...new Set(warnings)], saveWarnings: [...new Set(saveWarnings)]},
		document,
	];
}

/** Those of a tokenizer on a machine of so many cores, where a card or a small model is quicker than one. */
function mostWorkers(cores: number): number {
	return Math.max(1, Math.min(4, Math.floor(cores / 2)));
}

/** Opens the tokenizer of each tower. */
export async function openTowers(
	folders: TowerFolders['folders'],
	{signal}: {signal?: AbortSignal | undefined},
): Promise<[Tower, ...Tower[]]> {
	const towers: Tower[] = [];
	const workers = {most: mostWorkers(physicalCores())};
	try {
		for (const [number, folder] of folders.entries()) {
			const tokenizer = await Tokenizer.open(folder.tokenizerFiles, {signal, workers});
			towers.push({folder, tokenizer, number: number === 0 ? 0 : 1});
			checkIds(folder, tokenizer);
		}
		return towers as [Tower, ...Tower[]];
	} catch (error) {
		await closeTowers(towers);
		throw error;
	}
}

export async function closeTowers(towers: readonly Tower[]): Promise<void> {
	await Promise.all(towers.map(({tokenizer}) => tokenizer.dispose()));
}

function checkIds(folder: ModelFolder, tokenizer: Tokenizer): void {
	const {vocabulary} = folder.spec.embedding;
	if (tokenizer.largestId < vocabulary) return;
	const got = `${JSON.stringify(tokenizer.largestToken)} with the id ${tokenizer.largestId}`;
	throw new EngineError(
		'TOKENIZER_INVALID',
		`${folder.tokenizerFiles.source.path}: expected ids below ${vocabulary}, the rows of the ` +
			`embedding, got the token ${got}; the tokenizer is of another model`,
	);
}

/** The tower that the name of a prompt asks for. */
export function routeOfPrompt(prompt: string | undefined): Route | undefined {
	if (prompt === 'query') return 'query';
	return ['document', 'passage', 'corpus'].includes(String(prompt)) ? 'document' : undefined;
}

function conflict(message: string): EngineError {
	return new EngineError('OPTION_CONFLICT', message);
}
