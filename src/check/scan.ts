// The one reading of all data: every line a record or a fault, every record looked at, and an index
// of where texts stand, as training has it.

import {byTeacherOf} from '../data/choose.js';
import {Dataset} from '../data/dataset.js';
import type {Names} from '../data/fields.js';
import {layoutOf} from '../data/layouts/index.js';
import type {ParseRule, RowKind, TrainingRecord} from '../data/record.js';
import {type FileIndex, scanFile} from '../data/row-index.js';
import type {SourceFile} from '../data/source-file.js';
import {closeAll, type DataSource, openSources} from '../data/sources.js';
import {EngineError} from '../errors.js';
import type {HubOptions} from '../hub/settings.js';
import type {Loss} from '../loss/loss.js';
import {needsCheck} from '../train/needs.js';
import type {PromptRules} from '../train/prompts.js';
import {BrokenLines, faultOf} from './broken-lines.js';
import type {Contamination} from './contamination.js';
import type {Findings} from './findings.js';
import {NearRecords} from './near-records.js';
import type {CheckSettings} from './options.js';
import {RecordChecks} from './record-checks.js';
import type {FileFacts} from './report.js';

export interface ScanRequest {
	settings: CheckSettings;
	names: Names | undefined;
	loss: Loss | undefined;
	prompts: PromptRules;
	findings: Findings;
	contamination: Contamination;
	hub: HubOptions | undefined;
	signal: AbortSignal | undefined;
	onProgress: ((progress: {records: number}) => void) | undefined;
}

type Part = ConstructorParameters<typeof Dataset>[0][number];

export interface Scanned {
	/** The good records, open. */
	dataset: Dataset;
	parts: readonly Part[];
	files: readonly FileFacts[];
	checks: RecordChecks;
	bad: BrokenLines;
	rule: ParseRule & {kind: RowKind};
}

/** Reads all sources. What cannot be opened is a finding; a path of nothing is an error. */
export async function scanSources(
	sources: readonly DataSource[],
	request: ScanRequest,
): Promise<Scanned> {
	const opened = await open(sources, request);
	const parts: Part[] = [];
	try {
		const {settings, names, loss} = request;
		const kind = loss?.needs?.row ?? (await kindOf(opened, names));
		const rule = {kind, names, byTeacher: byTeacherOf(settings.positives)};
		const bad = new BrokenLines(request.findings);
		const checks = new RecordChecks(request.findings);
		const {see, near} = observer(checks, request);
		const files: FileFacts[] = [];
		const missing: string[][] = [];
		for (const source of opened) {
			const before = bad.count;
			const scan = {...rule, bad, expect: see, signal: request.signal};
			const found = await tolerant(request.findings, () => scanFile(source, scan));
			files.push(fileFacts(source, found, bad.count - before));
			if (found === undefined) continue;
			tellFile(found, request.findings);
			missing.push(found.missing);
			const first = parts.reduce((sum, {index}) => sum + index.length, 0);
			parts.push({source, first, ...found});
		}

		tellMissing(names, missing, request.findings);
		const dataset = new Dataset(parts, {warnings: [], rule});
		await near?.tell(dataset);
		return {dataset, parts, files, checks, bad, rule};
	} catch (error) {
		await closeAll(opened);
		await Promise.all(parts.map(({index}) => index.close()));
		throw error;
	}
}

/** What work gives; a file that cannot be read is a finding. */
async function tolerant<T>(findings: Findings, work: () => Promise<T>): Promise<T | undefined> {
	try {
		return await work();
	} catch (error) {
		const isOfData =
			error instanceof EngineError && /^(DATA_|FILE_(EMPTY|FORMAT))/.test(error.code);
		if (!isOfData) throw error;
		findings.add('unreadable-file', () => faultOf(error.message));
		return;
	}
}

async function open(
	sources: readonly DataSource[],
	{names, findings, hub, loss, signal}: ScanRequest,
): Promise<SourceFile[]> {
	const opened: SourceFile[] = [];
	const given = {names, hub, kind: loss?.needs?.row, signal};
	try {
		for (const source of sources) {
			const found = await tolerant(findings, () => openSources([source], given));
			opened.push(...(found?.files ?? []));
			for (const text of found?.warnings ?? [])
				findings.add('file-note', () => ({where: '', text}));
		}

		return opened;
	} catch (error) {
		await closeAll(opened);
		throw error;
	}
}

/** What the first record of all is. */
async function kindOf(sources: readonly SourceFile[], names: Names | undefined): Promise<RowKind> {
	if (sources.some(({teacher}) => teacher !== undefined)) return 'text';
	for (const {format} of sources) {
		for await (const slices of format.slices()) {
			for (const {text, where} of slices) {
				try {
					return layoutOf(format.parse(text, where), names).name === 'texts' ? 'text' : 'pair';
				} catch (error) {
					if (!(error instanceof EngineError)) throw error;
				}
			}
		}
	}

	return 'pair';
}

/** What becomes of every record that could be read. */
function observer(checks: RecordChecks, request: ScanRequest) {
	const {loss, prompts, settings, findings, contamination, onProgress} = request;
	const fits = loss && needsCheck(loss, settings);
	const hasTask = prompts.check;
	const near = settings.near ? new NearRecords(findings, settings.examples) : undefined;
	const see = (record: TrainingRecord, where: string, set: string) => {
		fits?.(record, where, set);
		hasTask?.(record, where);
		checks.see(record, where);
		contamination.see(record, where);
		near?.see(record, where, checks.records - 1);
		onProgress?.({records: checks.records});
	};
	return {see, near};
}

function fileFacts(
	{name, path, bytes, origin}: SourceFile,
	found: FileIndex | undefined,
	brokenLines: number,
): FileFacts {
	const sha256 = origin?.sha256 ?? found?.sha256 ?? null;
	const records = found?.index.length ?? 0;
	return {name, path, bytes: origin?.bytes ?? bytes, sha256, records, brokenLines};
}

function tellFile({warnings}: FileIndex, findings: Findings): void {
	for (const text of warnings) {
		const kind = text.includes('stands for a second text') ? 'two-texts' : 'file-note';
		findings.add(kind, () => ({where: '', text}));
	}
}

/** Tells the names of the map that no record of any file has. */
function tellMissing(
	names: Names | undefined,
	missing: readonly (readonly string[])[],
	findings: Findings,
): void {
	for (const name of names?.keys() ?? []) {
		if (!missing.every(list => list.includes(name))) continue;
		findings.add('missing-field', () => ({where: '', field: name, expected: `a field "${name}"`}));
	}
}
