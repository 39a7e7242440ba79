// `inbatch plan`: what `train` with these options would take, of memory, time and disk.

import {formatTable} from '../files/table.js';
import {inGibibytes} from '../train/memory.js';
import {planTraining, type TrainingPlan} from '../train/plan.js';
import {defineCommand} from './command.js';
import {durationText} from './meter.js';
import {checkTraining, openTrained, trainingOf, trainOptions} from './train.js';

const {output} = trainOptions.shape;

export const plan = defineCommand({
	options: trainOptions.extend({output: output.optional().meta(output.meta() ?? {})}),
	example: '--model path/to/all-MiniLM-L6-v2 --data pairs.jsonl --batch-size 512',
	check(settings) {
		checkTraining({...settings, output: settings.output ?? ''});
	},
	async run(settings, context) {
		const asked = {...settings, output: settings.output ?? ''};
		const model = await openTrained(asked, context);
		try {
			const {output: _, ...options} = trainingOf(asked);
			const {signal, terminal} = context;
			const onMessage = (message: string) => terminal.note(message);
			const found = await planTraining(model, {...options, signal, onMessage});
			if (!context.json) process.stdout.write(`${planText(found)}\n`);
			return found;
		} finally {
			await model.dispose();
		}
	},
});

function planText({memory, memoryLimit, fits, ...found}: TrainingPlan): string {
	const {peak, ...parts} = memory;
	const {seconds, tokensPerSecond, surveyedSteps, measuredSteps} = found;
	const rows = [
		...Object.entries(parts).map(([name, bytes]) => [`memory: ${name}`, inGibibytes(bytes)]),
		['memory: all', inGibibytes(peak)],
		['may take', `${inGibibytes(memoryLimit)}${fits ? '' : ': does not fit'}`],
		['steps', `${found.steps}`],
		['rows', `${found.rows}`],
		['tokens', `${found.tokens}`],
		['cut queries', `${found.truncatedQueries}`],
		['cut documents', `${found.truncatedDocuments}`],
		['time', seconds === null ? 'not measured' : durationText(seconds)],
		['tokens/s', tokensPerSecond === null ? 'not measured' : tokensPerSecond.toFixed(0)],
		['disk', inGibibytes(found.disk)],
		['looked at', `${surveyedSteps} steps; ${measuredSteps} computed`],
	];
	return formatTable(rows, {align: ['left', 'right']});
}
