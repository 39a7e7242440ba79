// The result of an evaluation as a table for people.

import type {Metrics} from '../evaluate/metrics.js';
import type {ModelComparison, SetResult} from '../evaluate/outcome.js';
import {similarityNames} from '../evaluate/pair-scores.js';
import {formatTable} from '../files/table.js';

/** A heading with the counts, and the metrics below. */
export function resultTable(result: SetResult): string {
	const rows =
		result.task === 'sts' ? correlationRows(result.metrics) : rankingRows(result.metrics);
	const tables = [heading(result), formatTable(rows)];
	if (result.compare) tables.push(formatTable(comparisonRows(result)));
	return `\n${tables.join('\n')}`;
}

function heading({name, seconds, ...counts}: SetResult): string {
	const facts = Object.entries(counts)
		.filter(([, value]) => typeof value === 'number' && value > 0)
		.map(([count, value]) => `${value} ${labels[count] ?? count}`);
	return `${name}: ${facts.join(', ')}, ${seconds.toFixed(1)} s`;
}

const labels: Readonly<Record<string, string>> = {
	queriesWithoutRelevant: 'queries without a relevant document left out',
	queriesWithoutJudgements: 'queries without judgements left out',
	queriesWithoutRanking: 'judged queries not in the run left out',
	truncatedQueries: 'queries cut',
	truncatedDocuments: 'documents cut',
	truncated: 'texts cut',
};

/** A row per cut-off, a column per metric; what is not cut stands in the last row. */
function rankingRows(metrics: Metrics): string[][] {
	const names = ['ndcg', 'mrr', 'recall', 'precision', 'map', 'hit'];
	const cutoffs = Object.keys(metrics)
		.filter(name => name.startsWith('ndcg@'))
		.map(name => name.slice('ndcg'.length));
	const rows = [...cutoffs, ''].map(cutoff => [
		cutoff || 'all',
		...names.map(name => digits(metrics[name + cutoff])),
	]);
	return [['', ...names], ...rows];
}

function correlationRows(metrics: Metrics): string[][] {
	const rows = similarityNames.map(name => [
		name,
		digits(metrics[`spearman_${name}`]),
		digits(metrics[`pearson_${name}`]),
	]);
	return [['', 'spearman', 'pearson'], ...rows];
}

function comparisonRows({metrics, compare}: SetResult): string[][] {
	if (!compare) return [];
	const rows = Object.entries(compare.difference).map(([name, difference]) => {
		const both = [digits(compare.metrics[name]), digits(metrics[name])];
		const interval = intervalText(compare, name);
		return [name, ...both, signed(difference), interval, digits(compare.p[name])];
	});
	return [['', compare.model, 'model', 'difference', '95 % interval', 'p'], ...rows];
}

export function intervalText({interval}: ModelComparison, name: string): string {
	const [low, high] = interval[name] ?? [Number.NaN, Number.NaN];
	return `${signed(low)} to ${signed(high)}`;
}

function digits(value: number | undefined): string {
	return value === undefined ? '' : value.toFixed(4);
}

function signed(value: number): string {
	return value > 0 ? `+${value.toFixed(4)}` : value.toFixed(4);
}
