// The logs of a run: metrics.jsonl, and event files for TensorBoard where they are asked for.

import {join} from 'node:path';
import {EngineError} from '../errors.js';
import {joinedLogs, MetricsLog, type RunLog} from './metrics-log.js';
import type {TrainSettings} from './options.js';
import type {RunFolder} from './run-folder.js';
import {TensorBoardLog} from './tensorboard.js';

/** Checks the places that are written to, and writes nothing yet. */
export async function openLog(
	{tensorboard}: Pick<TrainSettings, 'tensorboard'>,
	folder: RunFolder | undefined,
): Promise<RunLog> {
	const logs: RunLog[] = folder ? [new MetricsLog(join(folder.path, 'metrics.jsonl'))] : [];
	if (tensorboard === false) return joinedLogs(logs);
	const place = tensorboard === true ? folder && join(folder.path, 'tensorboard') : tensorboard;
	if (place === undefined) {
		const message = 'tensorboard: expected --output or a folder to write to, got neither';
		throw new EngineError('OPTION_CONFLICT', message);
	}
	const mayReplace = folder?.mayReplace ?? false;
	return joinedLogs([...logs, await TensorBoardLog.open(place, {mayReplace})]);
}
