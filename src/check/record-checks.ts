// What can be said of one record by itself: texts of garbage, positives among the negatives, scores
// that contradict each other; and the sums over all records of what they hold.

import type {TrainingRecord} from '../data/record.js';
import {type Findings, placeOf, shown} from './findings.js';
import {garbageOf, hasMarkup} from './garbage.js';
import {writingOf} from './scripts.js';
import {Range, Tally, Words} from './tallies.js';

/** Labels and languages that are counted apart. */
const mostLabels = 10_000;
const mostTasks = 100;

/** Lengths of the texts of one role. */
export interface Lengths {
	characters: Tally;
	words: Tally;
}

export type Role = 'query' | 'document';

const emptyLengths = (): Lengths => ({characters: new Tally(), words: new Tally()});

export class RecordChecks {
	records = 0;
	readonly positives = new Tally();
	readonly negatives = new Tally();
	readonly lengths: Record<Role, Lengths> = {query: emptyLengths(), document: emptyLengths()};
	readonly scripts = new Words(mostTasks);
	readonly languages = new Words(mostTasks);
	readonly scores = {positive: new Range(), negative: new Range(), score: new Range()};
	readonly labels = new Words(mostLabels);
	readonly tasks = new Words(mostTasks);
	readonly prompts = new Words(mostTasks);
	readonly #findings: Findings;

	constructor(findings: Findings) {
		this.#findings = findings;
	}

	see(record: TrainingRecord, where: string): void {
		this.records++;
		this.positives.push(record.positives.length);
		this.negatives.push(record.negatives.length);
		this.#seeTexts(record, where);
		this.#seeNegatives(record, where);
		this.#seeScores(record, where);
		if (record.label !== undefined) this.labels.push(String(record.label));
		if (record.task !== undefined) this.tasks.push(record.task);
		if (record.prompt !== undefined) this.prompts.push(record.prompt);
	}

	#seeTexts({query, positives, negatives}: TrainingRecord, where: string): void {
		const own = this.#seeText('query', query, where);
		for (const [n, text] of [...positives, ...negatives].entries()) {
			const {script} = this.#seeText('document', text, where);
			if (n > 0 || positives.length === 0 || script === own.script) continue;
			if (script === 'none' || own.script === 'none') continue;
			this.#findings.add('other-script', () => ({
				...placeOf(where),
				text: `${own.script}: ${shown(query)} · ${script}: ${shown(text)}`,
			}));
		}

		if (!positives.includes(query)) return;
		this.#findings.add('query-is-positive', () => ({...placeOf(where), text: shown(query)}));
	}

	#seeText(role: Role, text: string, where: string) {
		const {characters, words} = this.lengths[role];
		characters.push(text.length);
		words.push(wordsIn(text));
		const writing = writingOf(text);
		this.scripts.push(writing.script);
		this.languages.push(writing.language);
		const fault = garbageOf(text);
		if (fault !== undefined) {
			const example = () => ({...placeOf(where), text: `${fault}: ${shown(text)}`});
			this.#findings.add('lost-text', example);
		}

		if (hasMarkup(text)) {
			this.#findings.add('markup', () => ({...placeOf(where), text: shown(text)}));
		}

		return writing;
	}

	#seeNegatives({positives, negatives}: TrainingRecord, where: string): void {
		const own = negatives.find(text => positives.includes(text));
		if (own !== undefined) {
			this.#findings.add('own-negative', () => ({...placeOf(where), text: shown(own)}));
		}

		if (new Set(negatives).size === negatives.length) return;
		const twice = negatives.find((text, n) => negatives.indexOf(text) < n)!;
		this.#findings.add('repeated-negative', () => ({...placeOf(where), text: shown(twice)}));
	}

	#seeScores(record: TrainingRecord, where: string): void {
		const {positiveScores = [], negativeScores = [], score} = record;
		for (const value of positiveScores) this.scores.positive.push(value);
		for (const value of negativeScores) this.scores.negative.push(value);
		if (score !== undefined) this.scores.score.push(score);
		const all = [...positiveScores, ...negativeScores];
		if (all.length > 1 && all.every(value => value === all[0])) {
			this.#findings.add('equal-scores', () => ({...placeOf(where), text: `all ${all[0]}`}));
		}

		const least = Math.min(...positiveScores);
		const better = negativeScores.findIndex(value => value >= least);
		if (better < 0) return;
		this.#findings.add('better-negative', () => ({
			...placeOf(where),
			text: `${negativeScores[better]} ≥ ${least}: ${shown(record.negatives[better] ?? '')}`,
		}));
	}
}

function wordsIn(text: string): number {
	return text.match(/\S+/g)?.length ?? 0;
}
