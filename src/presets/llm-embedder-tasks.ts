// What LLM-Embedder trains a task with: its losses by the weights and scores at hand, and with
// --use_train_config the settings that its table has for the task.

import {EngineError} from '../errors.js';
import {setsOf} from './llm-embedder-sets.js';
import type {Values} from './values.js';

export type TaskSettings = {
	select_positive: string;
	select_negative: string;
	max_sample_num?: number;
	teacher_scores_margin?: number;
	contrastive_weight?: number;
	distill_weight?: number;
	teacher_temperature?: number;
	stable_distill: boolean;
};

const common = {select_negative: 'random'} as const;
const stable = {...common, contrastive_weight: 0, stable_distill: true};
const plain = {...common, distill_weight: 0, stable_distill: false};
const dialogue = {
	...common,
	...{select_positive: 'teacher', distill_weight: 1, contrastive_weight: 0},
	...{teacher_temperature: 0.1, stable_distill: false},
};

const tasks: Readonly<Record<string, TaskSettings>> = {
	qa: {...stable, select_positive: 'first'},
	convsearch: {...plain, select_positive: 'first'},
	chat: dialogue,
	lrlm: {...dialogue, max_sample_num: 10_000, teacher_scores_margin: 0.1},
	icl: {...stable, select_positive: 'random'},
	tool: {...plain, select_positive: 'first'},
};

export function taskOf(values: Values): string | undefined {
	return values.around.first?.task;
}

/** The settings of the task, where the command asks for them and there is one. */
export function configOf(values: Values): Partial<TaskSettings> {
	if (!values.is('use_train_config') || tasksOf(values) !== undefined) return {};
	return settingsOf(taskOf(values));
}

export type TaskSet = {name: string; config: TaskSettings; hasScores: boolean};

/** The data sets with the settings of their tasks, where these are several and asked for. */
export function tasksOf(values: Values): TaskSet[] | undefined {
	if (!values.is('use_train_config')) return undefined;
	const sets = setsOf(values);
	if (new Set(sets.map(({first}) => first?.task)).size < 2) return undefined;
	return sets.map(({name, first}) => ({
		name: name!,
		config: settingsOf(first?.task),
		hasScores: first?.positiveScores !== undefined,
	}));
}

function settingsOf(task: string | undefined): TaskSettings {
	const settings = task === undefined ? undefined : tasks[task];
	if (settings !== undefined) return settings;
	const expected = `expected records of a task of ${Object.keys(tasks).join(', ')}`;
	const message = `use_train_config: ${expected}, got ${task ?? 'none'}`;
	throw new EngineError('OPTION_CONFLICT', message);
}

export type Taught = {
	stable: boolean;
	teacherTemperature: number;
	distillWeight: number;
	contrastiveWeight: number;
};

/** How a teacher teaches; a task's own settings come first. */
export function taughtBy(values: Values, config = configOf(values)): Taught {
	return {
		stable: config.stable_distill ?? values.is('stable_distill'),
		teacherTemperature: config.teacher_temperature ?? values.number('teacher_temperature')!,
		distillWeight: config.distill_weight ?? values.number('distill_weight')!,
		contrastiveWeight: config.contrastive_weight ?? values.number('contrastive_weight')!,
	};
}

/** Which losses there are: of a teacher where records have its scores, and over the batch. */
export function trainsOn(
	values: Values,
	taught = taughtBy(values),
	isScored = hasScores(values),
): {teacher: boolean; contrastive: boolean} {
	const {distillWeight, contrastiveWeight} = taught;
	const teacher = isScored && distillWeight > 0;
	const contrastive = contrastiveWeight > 0;
	if (teacher || contrastive) return {teacher, contrastive};
	const expected =
		'expected contrastive_weight above 0, or teacher_scores and distill_weight above 0';
	throw new EngineError('OPTION_CONFLICT', `--preset llm-embedder: ${expected}, got neither`);
}

/** Whether the first record has scores of a teacher; data that are not there may have them. */
function hasScores({around: {first}}: Values): boolean {
	return first === undefined || first.positiveScores !== undefined;
}
