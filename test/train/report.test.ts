// report.html: what it shows of a run, that no text becomes markup, that it needs no network.

import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, expect, test} from 'vitest';
import {infoNce} from '../../dist/loss/infonce.js';
import {html, Markup} from '../../dist/train/report/html.js';
import {bytesText, change, decimals, figure, ticks} from '../../dist/train/report/numbers.js';
import {readLogged} from '../../dist/train/report/series.js';
import {type TrainOptions, train} from '../../dist/train/train.js';
import {temporaryFolder} from '../files/folder.js';
import {lines, loadTiny, quick, rowsOf, stoppingAt} from './tiny.js';

const {folder, put} = temporaryFolder();
const at = (name: string) => join(folder, name);
const heldOut = put('held-out.jsonl', lines(rowsOf(40).slice(30)));
const evil = '</script><img src=x onerror="alert(1)"> & the \'sign\'';

async function run(name: string, options: Partial<TrainOptions> = {}) {
	const evaluated = {evalLoss: {'kept<b>': heldOut}, evalSteps: 2, epochs: 2};
	return train(await loadTiny(), {...quick, ...evaluated, output: at(name), ...options});
}

const reportOf = (name: string) => readFileSync(join(at(name), 'report.html'), 'utf8');
const titlesIn = (page: string) =>
	[...page.matchAll(/<h([23])>(.*?)<\/h\1>/g)].map(([, , title]) => title);
const pairsIn = (page: string) => [...page.matchAll(/<li><p class="query".*?<\/li>/gs)].map(String);

test('a run leaves its curves, tables and hardest negatives on one page', async () => {
	const data = rowsOf(24).map((row, n) => (n === 5 ? {...row, query: `${evil} 5`} : row));
	await run('page', {data, loss: infoNce({learnTemperature: true})});
	const page = reportOf('page');
	expect(titlesIn(page)).toEqual(
		expect.arrayContaining([
			...['Before and after', 'Curves', 'Loss', 'Cosines', 'Learning rate', 'Gradient norm'],
			...['Gradient norms by part', 'Temperature', 'Rows per second', 'The run'],
		]),
	);
	expect(titlesIn(page).some(title => /above their positive|Hardest/.test(title!))).toBe(true);
	expect(pairsIn(page).length).toBeGreaterThan(10);
	expect(page).toContain(
		'&lt;/script&gt;&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; the &#39;sign&#39;',
	);
	expect(page).not.toContain('<img');
	expect(page).not.toMatch(/<(link|iframe|object|img)|<script src|url\(|@import/);
	expect(page.match(/<script>/g)).toHaveLength(1);
});

test('the pairs of the last epoch are the same when the run was stopped in between', async () => {
	await run('whole');
	await expect(run('parts', stoppingAt(5))).rejects.toThrow('stopped at 5');
	expect(reportOf('parts')).toContain('Stopped at step 5 of 6.');
	await run('parts', {resume: true});
	expect(pairsIn(reportOf('parts'))).toEqual(pairsIn(reportOf('whole')));
	expect(reportOf('parts')).toContain('Resumed from step 5.');
});

test('a pair is a query with the text that came nearest beside its own', async () => {
	const rows = rowsOf(8);
	const model = await loadTiny();
	const texts = rows.flatMap(({positive, negatives}) => [positive, ...negatives]);
	const {data, width} = await model.encode([...rows.map(({query}) => query), ...texts], {
		normalize: true,
	});
	const dot = (a: number, b: number) =>
		Array.from({length: width}, (_, i) => data[a * width + i]! * data[b * width + i]!).reduce(
			(x, y) => x + y,
		);
	const nearest = rows.map(({query, positive}, n) => {
		const others = texts.flatMap((text, m) =>
			text === positive ? [] : [{text, score: dot(n, 8 + m)}],
		);
		const best = others.reduce((a, b) => (b.score > a.score ? b : a));
		return {query, negative: best.text};
	});
	await train(model, {...quick, data: rows, dropout: 0, output: at('nearest')});
	const pairs = pairsIn(reportOf('nearest'));
	expect(pairs).toHaveLength(8);
	for (const {query, negative} of nearest) {
		const pair = pairs.find(each => each.includes(`>${query}<`))!;
		expect(pair).toContain(`<dd dir="auto">${negative}</dd>\n<dt>positive`);
	}
});

test('suspects of a mask are listed, and without a report there is none', async () => {
	const loss = infoNce({mask: ['margin']});
	await run('suspects', {loss, suspects: true});
	expect(titlesIn(reportOf('suspects'))).toContain('Suspected false negatives');
	await run('none', {report: false});
	expect(existsSync(join(at('none'), 'report.html'))).toBe(false);
});

test('a long log becomes some hundred points that keep its ends', async () => {
	const values = Array.from({length: 10_000}, (_, n) => Math.sin(n / 50) + (n === 777 ? 9 : 0));
	const path = at('long.jsonl');
	writeFileSync(path, values.map((loss, n) => `${JSON.stringify({step: n + 1, loss})}\n`).join(''));
	const points = (await readLogged(path)).steps.get('loss')!;
	expect(points.length).toBeGreaterThan(200);
	expect(points.length).toBeLessThan(480);
	expect(Math.max(...points.map(({high}) => high))).toBe(values[777]);
	const mean = points.reduce((sum, {y}) => sum + y, 0) / points.length;
	expect(mean).toBeCloseTo(values.reduce((a, b) => a + b) / values.length, 2);
});

describe('numbers read well', () => {
	test.each([
		[0.12345, '0.1235'],
		[2e-5, '2e-5'],
		[1234.567, '1,234.6'],
		[64, '64'],
		[null, '–'],
		[Number.NaN, 'NaN'],
	])('%s is %s', (value, text) => {
		expect(figure(value)).toBe(text);
	});

	test('in changes, sizes and on axes', () => {
		expect([0.5, -0.5, 0, -1e-6].map(change)).toEqual(['+0.5000', '−0.5000', '0.0000', '0.0000']);
		expect([0.12345, 12, 4321].map(decimals)).toEqual(['0.1235', '12.0000', '4,321']);
		expect(bytesText(3 * 2 ** 30)).toBe('3 GiB');
		expect(ticks(0.13, 0.87, 4)).toEqual([0.2, 0.4, 0.6, 0.8]);
		expect(ticks(-3, 12, 4)).toEqual([0, 5, 10]);
	});
});

test('markup stays, all else is text', () => {
	const inner = html`<b>${'<&>'}</b>`;
	expect(html`<p class="${'"\''}">${inner}${[inner]}${undefined}${false}${3}</p>`).toEqual(
		new Markup('<p class="&quot;&#39;"><b>&lt;&amp;&gt;</b><b>&lt;&amp;&gt;</b>3</p>'),
	);
});
