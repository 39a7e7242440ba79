// The options of training: one schema for the library and the command line, put together from groups.

import {z} from 'zod';
import {EngineError} from '../errors.js';
import {kebabCase} from '../option-names.js';
import {inGroup} from '../options.js';
import {expectAdversarial} from './adversarial.js';
import {expectAverages} from './averages.js';
import {expectOptimizer} from './optimizers.js';
import {adversarialOptions} from './options/adversarial.js';
import {courseOptions} from './options/course.js';
import {expectChoices, rowOptions, teacherOptions} from './options/data.js';
import {evaluationOptions} from './options/evaluation.js';
import {expectMixing, filterOptions, mixingOptions} from './options/mixing.js';
import {averageOptions, optimizerOptions, parameterOptions} from './options/optimizer.js';
import {expectPrompts, promptOptions} from './options/prompts.js';
import {scheduleOptions} from './options/schedule.js';
import {watchingOptions} from './options/watching.js';
import {expectNames} from './output-names.js';
import {expectKnown} from './schedule.js';

export {type LossSettings, lossSchema} from './options/loss.js';

/** The heading of what is evaluated and kept. */
export const evaluationGroup = 'Evaluation and checkpoints:';

/** Options that a file, the environment or the command line can give. */
export const trainSchema = z.object({
	...inGroup(courseOptions, 'Steps:'),
	seed: z
		.number()
		.int()
		.min(0)
		.max(0xffffffff)
		.default(0)
		.meta({description: 'of every random choice', group: 'Steps:'}),
	...inGroup(rowOptions, 'Rows and texts:'),
	...inGroup(promptOptions, 'Prompts:'),
	...inGroup(filterOptions, 'Which records:'),
	...inGroup(mixingOptions, 'Several data sets:'),
	...inGroup(teacherOptions, 'Teachers and false negatives:'),
	...inGroup(optimizerOptions, 'Optimizer:'),
	...inGroup(scheduleOptions, 'Learning rate over the run:'),
	...inGroup(parameterOptions, 'Parameters:'),
	...inGroup(averageOptions, 'Means of weights:'),
	...inGroup(adversarialOptions, 'Adversarial training:'),
	...inGroup(evaluationOptions, evaluationGroup),
	...inGroup(watchingOptions, 'Log and report:'),
});

export type TrainSettings = z.output<typeof trainSchema>;

/** Options that say the same thing in two ways. */
export const alternatives = [
	['steps', 'epochs'],
	['steps', 'maxSteps'],
	['warmupSteps', 'warmupRatio'],
] as const satisfies (keyof TrainSettings)[][];

/**
Two options that say the same thing in two ways may not both be given, and those of one schedule, optimizer
or attack not with another.
*/
export function expectCompatible(settings: TrainSettings, where: string): void {
	expectChoices(settings, {setOption: settings.setOption, where});
	expectMixing(settings, where);
	if (settings.accumulation !== undefined && (settings.accumulate ?? 1) === 1) {
		const message = `${where}: expected accumulation beside accumulate of 2 or more, got 1`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	expectNames(settings);
	expectPrompts(settings, where);
	expectKnown(settings);
	expectOptimizer(settings);
	expectAverages(settings);
	expectAdversarial(settings);
	for (const names of alternatives) {
		if (names.some(name => settings[name] === undefined)) continue;
		const message = `${where}: expected one of ${names.map(kebabCase).join(' and ')}, got both`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
}
