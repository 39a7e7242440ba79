// report.html: a run on one page, for people.

import {readFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {writeFileAtomic} from '../../files/output.js';
import type {HardPair} from '../hardest.js';
import type {Suspect} from '../suspects.js';
import type {TrainResult} from '../trainer.js';
import {chartsOf} from './charts.js';
import {html, type Markup} from './html.js';
import {figure} from './numbers.js';
import {type Part, page} from './page.js';
import {readLogged} from './series.js';
import {evaluationTables, factTable, hardList, resultTiles, suspectList} from './tables.js';

/** What run.json says, as far as a report looks at it. */
export type RunRecord = Readonly<Record<string, unknown>> & {
	options?: Readonly<Record<string, unknown>>;
	data?: readonly {name: string; path: string; rows: number; sha256: string}[];
	model?: {path: string; fingerprint: string; family: string};
	steps?: number;
	versions?: Readonly<Record<string, string>>;
	result?: TrainResult;
};

type Written = {record: RunRecord; hardest: readonly HardPair[]; step: number};

/** How many pairs a list shows. */
const most = 40;

/** Writes the report of a run, ended or stopped, from what lies in its folder. */
export async function writeReport(output: string, {record, hardest, step}: Written): Promise<void> {
	const {result, options = {}, data = [], model, steps, ...facts} = record;
	const logged = await readLogged(join(output, 'metrics.jsonl'));
	const suspects = await suspectsIn(output);
	const charts = await chartsOf(logged);
	const parts: Part[] = [
		{
			title: 'Before and after',
			body: result && section('sets', evaluationTables(result.evaluation)),
		},
		{title: 'Curves', note: 'Over the steps of the run.', body: section('grid', charts)},
		{
			title: 'Suspected false negatives',
			note: 'What the masks margin and guide took away, the highest scores first: positives that the data lack, or hard negatives that should have stayed.',
			body: suspects.length > 0 ? suspectList(suspects) : undefined,
		},
		...hardParts(hardest),
		{
			title: 'The run',
			body: html`<div class="card">${factTable({
				...{model: model?.path, family: model?.family, fingerprint: model?.fingerprint},
				...Object.fromEntries(data.map(dataFact)),
				...otherFacts(facts),
			})}<details><summary>all options</summary>${factTable(options)}</details></div>`,
		},
	];
	const title = `Training report: ${basename(model?.path ?? output)}`;
	const head = result
		? headOf(result)
		: html`<p class="soft">Stopped at step ${step} of ${steps ?? '?'}.</p>`;
	await writeFileAtomic(join(output, 'report.html'), page(title, head, parts));
}

function headOf(result: TrainResult): Markup {
	const {stopped, resumedFrom} = result;
	const early =
		stopped &&
		html`<p class="soft">Stopped early at step ${stopped.step}: ${stopped.metric} was no better for
${stopped.waited} evaluations, since ${figure(stopped.best)} at step ${stopped.bestStep}.</p>`;
	const resumed =
		resumedFrom !== null && html`<p class="soft">Resumed from step ${resumedFrom}.</p>`;
	return html`${early}${resumed}${resultTiles(result)}`;
}

/** Pairs whose negative scored above the positive are suspects too; the others are just hard. */
function hardParts(hardest: readonly HardPair[]): Part[] {
	const above = hardest.filter(({score, positiveScore}) => score > positiveScore);
	const below = hardest.filter(({score, positiveScore}) => score <= positiveScore);
	const list = (pairs: readonly HardPair[]) => (pairs.length > 0 ? hardList(pairs) : undefined);
	return [
		{
			title: 'Negatives above their positive',
			note: 'In the last epoch the model put these texts nearer to the query than its own positive: either it is wrong, or they are positives that the data lack.',
			body: list(above),
		},
		{
			title: 'Hardest negatives',
			note: 'In the last epoch these came nearest to the positive.',
			body: list(below),
		},
	];
}

function section(name: string, parts: readonly Markup[]): Markup | undefined {
	return parts.length > 0 ? html`<div class="${name}">${parts}</div>` : undefined;
}

function dataFact({name, path, rows, sha256}: NonNullable<RunRecord['data']>[number]) {
	return [`data: ${name}`, `${path}, ${figure(rows)} records, sha256 ${sha256}`] as const;
}

/** What the page does not show elsewhere; the command says what the options say. */
function otherFacts({resumedFrom: _, command: __, versions, ...facts}: RunRecord) {
	const shown = Object.entries(versions ?? {}).map(([name, version]) => `${name} ${version}`);
	return {...(shown.length > 0 && {versions: shown.join(', ')}), ...facts};
}

async function suspectsIn(output: string): Promise<Suspect[]> {
	const text = await readFile(join(output, 'suspects.jsonl'), 'utf8').catch(() => '');
	const lines = text.split('\n').filter(Boolean).slice(0, most);
	return lines.map(line => JSON.parse(line) as Suspect);
}
