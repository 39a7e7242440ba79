// The numbers of metrics.jsonl as lines to draw: at most some hundred points each, whatever the length of the
// run, so that a page stays small. A point then stands for the mean of its steps, with their smallest and largest.

import {createReadStream} from 'node:fs';
import {createInterface} from 'node:readline';
import {giveTurn} from '../../pace.js';
import type {EvaluationMetrics} from '../metrics-log.js';

export type Point = {x: number; y: number; low: number; high: number};
export type Points = readonly Point[];

/** What was logged, line by line of each number: `loss`, `gradientNorms.head`, and evaluations by `name/metric`. */
export type Logged = {steps: Map<string, Points>; evaluations: Map<string, Points>};

const most = 240;

/** Neighbouring points become one whenever there are twice as many as are drawn. */
class Line {
	points: {x: number; y: number; low: number; high: number; count: number}[] = [];
	#size = 1;

	add(x: number, y: number): void {
		const last = this.points.at(-1);
		if (last && last.count < this.#size) merge(last, {x, y, low: y, high: y, count: 1});
		else this.points.push({x, y, low: y, high: y, count: 1});
		if (this.points.length < 2 * most) return;
		this.#size *= 2;
		this.points = this.points.filter((point, n) => {
			const next = this.points[n + 1];
			if (n % 2 === 0 && next) merge(point, next);
			return n % 2 === 0;
		});
	}
}

type Sum = Line['points'][number];

function merge(into: Sum, other: Sum): void {
	const count = into.count + other.count;
	into.x = (into.x * into.count + other.x * other.count) / count;
	into.y = (into.y * into.count + other.y * other.count) / count;
	into.low = Math.min(into.low, other.low);
	into.high = Math.max(into.high, other.high);
	into.count = count;
}

export async function readLogged(path: string): Promise<Logged> {
	const lines = {steps: new Map<string, Line>(), evaluations: new Map<string, Line>()};
	const add = (
		kind: keyof typeof lines,
		name: string,
		{step, value}: {step: number; value: unknown},
	) => {
		if (typeof value !== 'number') return;
		const line = lines[kind].get(name) ?? new Line();
		lines[kind].set(name, line);
		line.add(step, value);
	};
	for await (const text of createInterface({input: createReadStream(path), crlfDelay: Infinity})) {
		await giveTurn();
		const {step, evaluation, ...numbers} = JSON.parse(text) as Partial<EvaluationMetrics>;
		for (const [name, value] of flat(evaluation ?? {}, '/'))
			add('evaluations', name, {step: step!, value});
		if (evaluation) continue;
		for (const [name, value] of flat(numbers, '.')) add('steps', name, {step: step!, value});
	}
	const drawn = (of: Map<string, Line>) =>
		new Map([...of].map(([name, {points}]) => [name, points]));
	return {steps: drawn(lines.steps), evaluations: drawn(lines.evaluations)};
}

/** The entries of an object and of those within it, by their path. */
function* flat(of: object, joint: string, path = ''): Generator<[string, unknown]> {
	for (const [key, value] of Object.entries(of)) {
		const isGroup = typeof value === 'object' && value !== null;
		if (isGroup) yield* flat(value, joint, `${path}${key}${joint}`);
		else yield [`${path}${key}`, value];
	}
}
