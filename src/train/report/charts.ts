// Which charts a report has, from what was logged.

import {giveTurn} from '../../pace.js';
import {type Chart, chart, type Line} from './chart.js';
import type {Markup} from './html.js';
import type {Logged, Points} from './series.js';

/** The charts that have something to show, in their order. */
export async function chartsOf({steps, evaluations}: Logged): Promise<Markup[]> {
	const step = (label: string, name: string): Line => ({label, points: steps.get(name) ?? []});
	const group = (name: string): Line[] =>
		[...steps]
			.filter(([key]) => key.startsWith(`${name}.`))
			.map(([key, points]) => ({label: key.slice(name.length + 1), points}));
	const charts: Chart[] = [
		{title: 'Loss', lines: [step('training', 'loss'), ...heldOutLosses(evaluations)]},
		...evaluationCharts(evaluations),
		{
			title: 'Cosines',
			note: 'Of queries: to their own positives, their own hard negatives, the positives of others.',
			lines: [
				step('positive', 'positiveCosine'),
				step('hard negative', 'negativeCosine'),
				step('in batch', 'inBatchCosine'),
				step('gap', 'cosineGap'),
			],
		},
		{title: 'Learning rate', lines: [step('rate', 'learningRate')], fromZero: true},
		{
			title: 'Gradient norm',
			note: 'Before clipping.',
			lines: [step('all', 'gradientNorm')],
			fromZero: true,
		},
		{title: 'Gradient norms by part', lines: group('gradientNorms'), fromZero: true},
		{title: 'Weight norms by part', lines: group('weightNorms')},
		{
			title: 'Temperature',
			lines: [step('temperature', 'temperature')].filter(({points}) => varies(points)),
		},
		{
			title: 'Negatives per query',
			note: 'Before masks: texts of other rows, hard negatives, earlier steps. Masked: taken away again.',
			lines: [
				step('local', 'negatives.local'),
				step('hard', 'negatives.hard'),
				step('queue', 'negatives.queue'),
				...group('negatives.masked').map(({label, points}) => ({label: `masked ${label}`, points})),
			],
			fromZero: true,
		},
		{title: 'Rows per second', lines: [step('rows', 'rowsPerSecond')], fromZero: true},
		{title: 'Tokens per second', lines: [step('tokens', 'tokensPerSecond')], fromZero: true},
	];
	const shown: Markup[] = [];
	for (const each of charts) {
		await giveTurn();
		const drawn = chart(each);
		if (drawn) shown.push(drawn);
	}
	return shown;
}

function varies(points: Points): boolean {
	return points.some(({low, high}) => low !== points[0]!.low || high !== points[0]!.low);
}

function heldOutLosses(evaluations: Logged['evaluations']): Line[] {
	return [...evaluations]
		.filter(([name]) => name.endsWith('/loss'))
		.map(([name, points]) => ({label: name.slice(0, -'/loss'.length), points}));
}

/** The metrics of a set that people look at first; without any of them the first few it has. */
const chief = ['ndcg@10', 'mrr@10', 'recall@10', 'spearman_cosine', 'pearson_cosine', 'accuracy'];
const fewest = 5;

/** A chart for each set that was evaluated more than once. */
function evaluationCharts(evaluations: Logged['evaluations']): Chart[] {
	const sets = new Map<string, Line[]>();
	for (const [name, points] of evaluations) {
		const slash = name.lastIndexOf('/');
		const [set, label] = [name.slice(0, slash), name.slice(slash + 1)];
		if (label !== 'loss') sets.set(set, [...(sets.get(set) ?? []), {label, points}]);
	}
	return [...sets].map(([set, lines]) => {
		const shown = lines.filter(({label}) => chief.includes(label));
		const taken = shown.length > 0 ? shown : lines.slice(0, fewest);
		return {title: `Evaluation: ${set}`, lines: taken.filter(({points}) => points.length > 1)};
	});
}
