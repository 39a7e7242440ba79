// The rows and batches that training would make of the records, and what it would leave out.

import {planEpoch} from '../data/mixing.js';
import {Rows} from '../data/rows.js';
import {EngineError} from '../errors.js';
import type {Loss} from '../loss/loss.js';
import {faultOf} from './broken-lines.js';
import type {Findings} from './findings.js';
import type {CheckSettings} from './options.js';
import type {CheckReport} from './report.js';
import type {Scanned} from './scan.js';

/** Rows up to which an epoch is planned for the check alone. */
const mostPlanned = 2_000_000;

interface Asked {
	settings: CheckSettings;
	loss: Loss | undefined;
	findings: Findings;
	signal?: AbortSignal | undefined;
}

type RowFacts = Pick<CheckReport, 'rows' | 'droppedRows' | 'batches'>;

const unknown: RowFacts = {rows: null, droppedRows: null, batches: null};

/** Nothing known where training would refuse the data; the refusal is a finding then. */
export async function rowFacts(
	{dataset}: Scanned,
	{settings, loss, findings, signal}: Asked,
): Promise<RowFacts> {
	if (dataset.length === 0) {
		findings.add('no-records', () => ({where: '', got: 'no record that can be read'}));
		return unknown;
	}

	try {
		const {batchSize, positives, negatives, onShortage, seed} = settings;
		const rows = await Rows.select(dataset, {positives, negatives, onShortage, seed}, {signal});
		const usable = rows.length - rows.short;
		if (usable > mostPlanned) return {...unknown, rows: usable, droppedRows: rows.short};
		const {across = 'texts'} = loss?.needs ?? {};
		const duplicates = across === 'texts' ? 'refuse' : 'allow';
		const lone = across === 'nothing' ? 'keep' : 'drop';
		const course = {epoch: 0, batchSize, seed, duplicates, lone, signal} as const;
		const plan = await planEpoch(rows, course);
		const dropped = rows.short + plan.dropped;
		findings.addAll('dropped-row', dropped, []);
		return {rows: usable - plan.dropped, droppedRows: dropped, batches: plan.length};
	} catch (error) {
		if (!(error instanceof EngineError)) throw error;
		if (error.code !== 'DATA_ROW' && error.code !== 'TRAIN_BATCH') throw error;
		const kind = error.code === 'DATA_ROW' ? 'shortage' : 'no-records';
		findings.add(kind, () => faultOf(error.message));
		return unknown;
	}
}
