// A chart of lines over steps, as SVG that needs nothing but itself. The page's script shows the values
// under the pointer, from what the chart carries.

import {html, type Markup} from './html.js';
import {figure, ticks} from './numbers.js';
import type {Point, Points} from './series.js';

export type Line = {label: string; points: Points};

export type Chart = {
	title: string;
	lines: readonly Line[];
	/** What the chart shows, in a sentence. */
	note?: string;
	/** Whether the lowest value is 0 when no value is below. Default false. */
	fromZero?: boolean;
};

const size = {width: 440, height: 230};
const frame = {left: 56, right: 430, top: 10, bottom: 200};

type Scale = {low: number; high: number; place: (value: number) => number};

/** Nothing where there is nothing to draw. */
export function chart({title, lines, note, fromZero = false}: Chart): Markup | undefined {
	const drawn = lines.filter(({points}) => points.some(({y}) => Number.isFinite(y)));
	if (drawn.length === 0) return undefined;
	const all = drawn.flatMap(({points}) => points).filter(({y}) => Number.isFinite(y));
	const x = scaleOf(
		all.map(point => point.x),
		[frame.left, frame.right],
	);
	const values = [...all.flatMap(({low, high}) => [low, high]), ...(fromZero ? [0] : [])];
	const y = scaleOf(values, [frame.bottom, frame.top], 0.06);
	const colours = drawn.map((_, n) => colourOf(n, drawn.length));
	const shapes = drawn.map(({points}, n) => shapeOf(points, {x, y, colour: colours[n]!}));
	return html`<figure>
<figcaption><h3>${title}</h3>${note !== undefined && html`<p>${note}</p>`}</figcaption>
<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${title}" data-lines="${dataOf(drawn, x)}">
${axes(x, y)}${shapes}<line class="cursor" y1="${frame.top}" y2="${frame.bottom}" x1="-9" x2="-9"></line></svg>
<ul class="legend">${drawn.map(({label, points}, n) => legend(label, points, colours[n]!))}</ul>
</figure>
`;
}

function legend(label: string, points: Points, colour: string): Markup {
	const last = points.findLast(({y}) => Number.isFinite(y))?.y;
	return html`<li><i style="background:${colour}"></i>${label} <b>${figure(last)}</b></li>`;
}

function scaleOf(values: readonly number[], [from, to]: [number, number], margin = 0): Scale {
	let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
	for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
	if (low === high)
		[low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
	const room = (high - low) * margin;
	[low, high] = [low === 0 ? 0 : low - room, high + room];
	return {low, high, place: value => from + ((value - low) / (high - low)) * (to - from)};
}

function axes(x: Scale, y: Scale): Markup {
	const rows = ticks(y.low, y.high, 4).map(value => {
		const at = round(y.place(value));
		return html`<line x1="${frame.left}" x2="${frame.right}" y1="${at}" y2="${at}"></line>
<text x="${frame.left - 6}" y="${at + 4}" class="end">${figure(value)}</text>`;
	});
	const columns = ticks(x.low, x.high, 4)
		.filter(Number.isInteger)
		.map(
			value =>
				html`<text x="${round(x.place(value))}" y="${frame.bottom + 20}">${figure(value)}</text>`,
		);
	return html`<g class="axes">${rows}${columns}</g>`;
}

type Drawing = {x: Scale; y: Scale; colour: string};

/** The line, and behind it from the smallest to the largest value that its points stand for. */
function shapeOf(points: Points, {x, y, colour}: Drawing): Markup {
	const seen = points.filter(point => Number.isFinite(point.y));
	const place = (of: (point: Point) => number) => (point: Point) =>
		`${round(x.place(point.x))},${round(y.place(of(point)))}`;
	const line = seen.map(place(point => point.y)).join(' ');
	const isBand = seen.some(({low, high}) => low < high);
	const upper = seen.map(place(({high}) => high));
	const lower = seen.map(place(({low}) => low)).reverse();
	const dots = seen.length <= 40 ? seen.map(place(point => point.y)) : [];
	return html`${isBand && html`<polygon style="fill:${colour}" points="${[...upper, ...lower].join(' ')}"></polygon>`}
<polyline style="stroke:${colour}" points="${line}"></polyline>${dots.map(dot => {
		const [cx = '', cy = ''] = dot.split(',');
		return html`<circle style="fill:${colour}" cx="${cx}" cy="${cy}" r="2.2"></circle>`;
	})}`;
}

/** What the script reads: where the steps lie, and what the values are there. */
function dataOf(lines: readonly Line[], x: Scale): string {
	return JSON.stringify(
		lines.map(({label, points}) => ({
			label,
			points: points.map(point => [Math.round(point.x), round(x.place(point.x)), figure(point.y)]),
		})),
	);
}

/** Few lines have colours that everybody tells apart; many go through the hues. */
function colourOf(n: number, count: number): string {
	const few = ['#3b7dd8', '#e0763a', '#2c9c6a', '#b65bc4', '#c9a227', '#7a8594'];
	return count <= few.length ? few[n]! : `hsl(${Math.round((n / count) * 300)} 60% 52%)`;
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}
