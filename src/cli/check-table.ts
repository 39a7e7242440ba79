// The report of a check as tables for people: what the data hold, then what is wrong, the worst first.

import type {Example, Finding} from '../check/findings.js';
import type {CheckReport, LengthFacts} from '../check/report.js';
import {formatTable} from '../files/table.js';

export function checkTable(report: CheckReport): string {
	const parts = [
		formatTable(fileRows(report)),
		formatTable(sumRows(report), {align: ['left', 'left']}),
		formatTable(lengthRows(report)),
		...(report.evaluation.length > 0 ? [formatTable(evaluationRows(report))] : []),
		...report.findings.map(findingText),
		verdict(report),
	];
	return `\n${parts.join('\n\n')}`;
}

function fileRows({files}: CheckReport): string[][] {
	const rows = files.map(({name, records, brokenLines, bytes}) => [
		name,
		`${records}`,
		`${brokenLines}`,
		`${bytes}`,
	]);
	return [['file', 'records', 'broken lines', 'bytes'], ...rows];
}

function sumRows(report: CheckReport): string[][] {
	const {rows, droppedRows, batches, mined} = report;
	const course = `${rows ?? 'not known'}, ${droppedRows ?? 'not known'} left out`;
	const near = `${report.nearQueries} queries, ${report.nearDocuments} documents`;
	return [
		['queries', `${report.records}, ${report.distinctQueries} distinct`],
		['positives', `${report.positives}`],
		['negatives', `${report.negatives}`],
		['documents', `${report.distinctDocuments} distinct`],
		['nearly the same', near],
		['rows', `${course}, in ${batches ?? 'an unknown number of'} batches`],
		['positives a record', barsText(report.positivesPerRecord)],
		['negatives a record', barsText(report.negativesPerRecord)],
		['languages', barsText(report.languages)],
		['scripts', barsText(report.scripts)],
		...namedRows('label', report.labels),
		...namedRows('task', report.tasks),
		...scoreRows(report),
		...(mined ? [['false negatives', minedText(mined)]] : []),
	];
}

function namedRows(name: string, counts: Record<string, number>): string[][] {
	return Object.keys(counts).length === 0 ? [] : [[`${name}s`, barsText(counts)]];
}

function scoreRows({scores}: CheckReport): string[][] {
	return Object.entries(scores).map(([name, {count, min, mean, deviation, max}]) => [
		name === 'score' ? 'scores' : `scores of ${name}s`,
		`${count} from ${digits(min)} to ${digits(max)}, ${digits(mean)} ± ${digits(deviation)}`,
	]);
}

function minedText(mined: NonNullable<CheckReport['mined']>): string {
	const {queries, documents, queriesWithSuspects, suspectShare} = mined;
	const share = `${(100 * suspectShare).toFixed(2)} % of other documents as near as the positive`;
	return `${queriesWithSuspects} of ${queries} queries over ${documents} documents, ${share}`;
}

const shownBars = 8;

/** `1: 95, 2: 5`. */
function barsText(bars: Record<string, number>): string {
	const entries = Object.entries(bars).map(([name, count]) => `${name}: ${count}`);
	const more = entries.length > shownBars ? `, ${entries.length - shownBars} more` : '';
	return entries.slice(0, shownBars).join(', ') + more;
}

function lengthRows({lengths}: CheckReport): string[][] {
	const rows = Object.entries(lengths).flatMap(([role, facts]) => lengthRowsOf(role, facts));
	return [['length', 'min', 'mean', '50 %', '90 %', '99 %', 'max', 'limit', 'cut'], ...rows];
}

function lengthRowsOf(role: string, facts: LengthFacts): string[][] {
	const {maxLength, truncated, truncatedShare = 0} = facts;
	return (['characters', 'words', 'tokens'] as const).flatMap(unit => {
		const spread = facts[unit];
		if (!spread) return [];
		const {min, mean, p50, p90, p99, max} = spread;
		const cut = `${truncated} (${(100 * truncatedShare).toFixed(1)} %)`;
		const limits = unit === 'tokens' ? [`${maxLength}`, cut] : [];
		const numbers = [min, mean.toFixed(1), p50, p90, p99, max].map(String);
		return [[`${role}, ${unit}`, ...numbers, ...limits]];
	});
}

function evaluationRows({evaluation}: CheckReport): string[][] {
	const rows = evaluation.map(set => [
		set.name,
		...[set.queries, set.documents, set.leakedQueries, set.nearQueries].map(String),
		...[set.leakedPairs, set.leakedDocuments].map(String),
	]);
	const heads = ['queries', 'documents', 'queries in data', 'nearly', 'pairs', 'documents in data'];
	return [['evaluation', ...heads], ...rows];
}

function findingText({severity, count, what, examples}: Finding): string {
	const lines = examples.map(exampleText).filter(line => line.trim() !== '');
	const more = count > examples.length && examples.length > 0 ? ['  …'] : [];
	return [`${severity}: ${what}: ${count}`, ...lines, ...more].join('\n');
}

function exampleText({where, expected, got, text}: Example): string {
	const fault =
		expected === undefined ? (text ?? got ?? '') : `expected ${expected}, got ${got ?? 'none'}`;
	return where === '' ? `  ${fault}` : `  ${where}: ${fault}`;
}

function verdict({errors, warnings, ok}: CheckReport): string {
	return `${ok ? 'fit to train on' : 'not fit to train on'}: ${errors} errors, ${warnings} warnings`;
}

function digits(value: number): string {
	return String(Number(value.toPrecision(4)));
}
