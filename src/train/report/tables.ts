// The tables and lists of a report: what was reached, which negatives are hard, what the run was.

import type {Scores} from '../evaluations.js';
import type {HardPair} from '../hardest.js';
import type {Suspect} from '../suspects.js';
import type {TrainResult} from '../trainer.js';
import {html, type Markup} from './html.js';
import {bytesText, change, decimals, figure, secondsText} from './numbers.js';

/** Metrics before and after, the chief ones at once and all of them on demand. */
export function evaluationTables({before, after}: TrainResult['evaluation']): Markup[] {
	return Object.keys(after).map(name => {
		const metrics = Object.keys(after[name]!);
		const chief = metrics.filter(metric => /@10$|_cosine$|^(map|mrr)$/.test(metric));
		const first = chief.length > 0 ? chief : metrics;
		const others = metrics.filter(metric => !first.includes(metric));
		const table = (of: readonly string[]) => metricTable({name, before, after}, of);
		return html`<section class="set"><h3>${name}</h3>${table(first)}${
			others.length > 0 &&
			html`<details><summary>${others.length} more</summary>${table(others)}</details>`
		}</section>
`;
	});
}

type Compared = {name: string; before: Scores; after: Scores};

function metricTable({name, before, after}: Compared, metrics: readonly string[]): Markup {
	const rows = metrics.map(metric => {
		const [was, is] = [before[name]?.[metric], after[name]![metric]!];
		const difference = was === undefined ? undefined : is - was;
		const cells = [was, is].map(decimals);
		cells.push(difference === undefined ? '–' : change(difference));
		return html`<tr><th scope="row">${metric}</th>${cells.map(cell => html`<td>${cell}</td>`)}</tr>`;
	});
	const heads = ['metric', 'before', 'after', 'change'].map(
		head => html`<th scope="col">${head}</th>`,
	);
	return html`<table><thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table>`;
}

type Shown = {
	query: string;
	positive: string;
	positiveScore?: number;
	negative: string;
	score: number;
	about: string;
};

/** The pairs that the masks took for false negatives. */
export function suspectList(suspects: readonly Suspect[]): Markup {
	return pairList(
		suspects.map(({suspect, step, ...rest}) => ({
			...rest,
			negative: suspect,
			about: `step ${step}`,
		})),
	);
}

/** Negatives beside the positives that they came near to. */
export function hardList(pairs: readonly HardPair[]): Markup {
	return pairList(
		pairs.map(({origin, step, ...rest}) => {
			const where =
				origin === 'hard' ? 'a hard negative of the row' : 'from another row of the batch';
			return {...rest, about: `step ${step}, ${where}`};
		}),
	);
}

function pairList(pairs: readonly Shown[]): Markup {
	return html`<ol class="pairs">${pairs.map(pairItem)}</ol>`;
}

function pairItem({query, positive, positiveScore, negative, score, about}: Shown): Markup {
	return html`<li><p class="query" dir="auto">${query}</p>
<dl><dt>negative <b>${figure(score)}</b></dt><dd dir="auto">${negative}</dd>
<dt>positive ${positiveScore !== undefined && html`<b>${figure(positiveScore)}</b>`}</dt><dd dir="auto">${positive}</dd></dl>
<p class="about">${about}</p></li>
`;
}

/** The numbers at the top of the page. */
export function resultTiles(result: TrainResult): Markup {
	const tiles: [string, string][] = [
		['steps', figure(result.steps)],
		['rows', figure(result.rows)],
		['last loss', figure(result.loss)],
		['time in steps', secondsText(result.seconds)],
		['rows per second', figure(result.rowsPerSecond)],
		['peak memory', bytesText(result.peakMemoryBytes)],
	];
	return html`<dl class="tiles">${tiles.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Names and values, each as text; objects as JSON. */
export function factTable(facts: Readonly<Record<string, unknown>>): Markup {
	const rows = Object.entries(facts)
		.filter(([, value]) => value !== null && value !== undefined)
		.map(([name, value]) => {
			const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
			return html`<tr><th scope="row">${name}</th><td class="text">${text}</td></tr>`;
		});
	return html`<table class="facts"><tbody>${rows}</tbody></table>`;
}
