// NeMo's optimizer and learning-rate schedule: model.optim.

import {maps, type Ours, read, refused, renamed, type Table} from './table.js';
import type {Values} from './values.js';

const optimizers: Readonly<Record<string, string>> = {
	fused_adam: 'adamw',
	distributed_fused_adam: 'adamw',
	megatron_fused_adam: 'adamw',
	adamw: 'adamw',
	adam: 'adam',
};

const at = (name: string) => `model.optim.${name}`;
const sched = (name: string) => `model.optim.sched.${name}`;

export const nemoOptimOptions: Table = {
	[at('name')]: {
		kind: 'text',
		default: 'fused_adam',
		to: values => ({optimizer: optimizers[values.text(at('name')) ?? 'fused_adam']}),
		refused(values) {
			if (optimizers[values.text(at('name')) ?? 'fused_adam']) return undefined;
			return `the optimizers here are ${Object.keys(optimizers).join(', ')}`;
		},
	},
	[at('lr')]: renamed('number', 'learningRate', {default: 2e-4}),
	[at('weight_decay')]: renamed('number', 'weightDecay', {default: 0.01}),
	[at('betas')]: maps('list', betas, {default: [0.9, 0.98]}),
	[at('eps')]: renamed('number', 'epsilon', {default: 1e-8}),
	[sched('name')]: {
		kind: 'text',
		default: 'CosineAnnealing',
		nullable: true,
		to: (values, say) => shapes[nameOf(values)]?.(values, say) ?? {},
		refused(values) {
			if (shapes[nameOf(values)]) return undefined;
			return `the schedules here are ${Object.keys(shapes).join(', ')}`;
		},
	},
	[sched('warmup_steps')]: read('number', {default: 500, nullable: true}),
	[sched('warmup_ratio')]: read('number'),
	[sched('constant_steps')]: read('number', {default: 50_000, nullable: true}),
	[sched('constant_ratio')]: read('number'),
	[sched('min_lr')]: read('number', {default: 2e-5, nullable: true}),
	[sched('max_steps')]: read('number'),
	[sched('power')]: read('number', {default: 1, nullable: true}),
	[sched('last_epoch')]: refused('number', '--resume goes on where a run ended', {
		default: -1,
		nullable: true,
	}),
};

function betas(values: Values): Ours {
	const [beta1, beta2] = values.list(at('betas')).map(Number);
	return {beta1, beta2};
}

/** Without a schedule the rate is constant. */
function nameOf(values: Values): string {
	return values.text(sched('name')) ?? 'none';
}

type Phases = {steps: number; warmup: number; constant: number};
type Shape = (values: Values, say: (text: string) => void) => Ours;

const shapes: Readonly<Record<string, Shape>> = {
	none: () => ({schedule: 'constant', warmupSteps: 0}),
	CosineAnnealing: cosineAnnealing,
	NoamAnnealing: (values, say) => ({...during(values, say), schedule: 'noam', ...least(values)}),
	WarmupPolicy: (values, say) => ({...warmed(values, say), schedule: 'constant'}),
	WarmupAnnealing: (values, say) => ({...warmed(values, say), schedule: 'linear'}),
	InverseSquareRootAnnealing: (values, say) => ({
		...warmed(values, say),
		schedule: 'inverse-sqrt',
		timescale: phasesOf(values).warmup + 1,
	}),
	PolynomialDecayAnnealing: (values, say) => ({
		...warmed(values, say),
		...least(values),
		schedule: 'polynomial',
		power: values.number(sched('power')),
	}),
};

function least(values: Values): Ours {
	return {minLearningRate: values.number(sched('min_lr')) ?? 0};
}

/** Steps of the run, of its warm-up and of its constant end, where they are given as shares too. */
function phasesOf(values: Values): Phases {
	const steps = values.number(sched('max_steps')) ?? values.number('trainer.max_steps') ?? -1;
	const part = (phase: string) => {
		const ratio = values.number(sched(`${phase}_ratio`));
		if (ratio !== undefined && steps > 0) return Math.trunc(ratio * steps);
		return values.number(sched(`${phase}_steps`)) ?? 0;
	};
	return {steps, warmup: part('warmup'), constant: part('constant')};
}

/** The warm-up, and how long the schedule is: there is a fall behind it even if the run ends before. */
function during(values: Values, say: (text: string) => void): Ours {
	const {steps, warmup} = phasesOf(values);
	if (steps < 1) return {warmupSteps: warmup};
	if (steps <= warmup) sayShort(values, say, {steps, warmup});
	return {warmupSteps: warmup, scheduleSteps: lengthOf(values)};
}

function lengthOf(values: Values): number {
	const {steps, warmup, constant} = phasesOf(values);
	return Math.max(steps, warmup + (constant > 0 ? 2 : 1));
}

function sayShort(
	values: Values,
	say: (text: string) => void,
	{steps, warmup}: Pick<Phases, 'steps' | 'warmup'>,
): void {
	const rate = ((values.number(at('lr')) ?? 0) * steps) / warmup;
	say(
		`${sched('warmup_steps')}: warm-up of ${warmup} steps in a run of ${steps}, so the rate only rises, to ${rate}`,
	);
}

/** The warm-up of NeMo's other schedules, which begins above 0 as ours does not. */
function warmed(values: Values, say: (text: string) => void): Ours {
	const {warmup} = phasesOf(values);
	if (warmup > 0) {
		const theirs = `the first of NeMo's is 1/${warmup + 1} of the largest rate`;
		say(`${sched('name')} ${nameOf(values)}: ${theirs}, here it is 0`);
	}

	return during(values, say);
}

/** NeMo's cosine, whose constant end may not fit into the run; it is then cut to what fits. */
function cosineAnnealing(values: Values, say: (text: string) => void): Ours {
	const {steps, warmup, constant} = phasesOf(values);
	const shape = {...during(values, say), schedule: 'cosine-annealing', ...least(values)};
	if (constant === 0) return shape;
	if (steps < 1) return {...shape, constantSteps: constant};
	const room = lengthOf(values) - warmup - 1;
	if (constant > room && steps > warmup) {
		const end = `${constant} constant steps do not fit behind ${warmup} of warm-up into ${steps}`;
		const fall = `the rate is at its least, ${values.number(sched('min_lr'))}, from step ${warmup + 1} on`;
		const hint = `${sched('constant_steps')}=0 lets it fall over the whole run`;
		say(`${sched('constant_steps')}: ${end}; cut to ${room}, so ${fall}, as in NeMo; ${hint}`);
	}
	return {...shape, constantSteps: Math.min(constant, room)};
}
