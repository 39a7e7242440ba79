// A teacher's vectors of held-out rows: which file belongs to which of the sets of --eval-loss.

import type {Dataset} from '../data/dataset.js';
import {EngineError} from '../errors.js';
import type {Loss} from '../loss/loss.js';
import type {TrainSettings} from './options.js';
import {TeacherVectors} from './teacher-vectors.js';

export type HeldOutTeacherOptions = {
	settings: Pick<TrainSettings, 'evalTeacherVectors'>;
	loss: Loss;
	/** Columns of the vectors of the training data, which those of held-out rows have too. */
	width: number | undefined;
	signal: AbortSignal | undefined;
};

/** The vectors of a set by that name, where its loss learns from vectors. */
export async function heldOutTeacher(
	name: string,
	{all: records, teacher}: Dataset,
	{settings, loss, width, signal}: HeldOutTeacherOptions,
): Promise<TeacherVectors | undefined> {
	const path = pathsOf(settings).find(each => each.name === undefined || each.name === name)?.path;
	const found = path ?? teacher?.path;
	if (found !== undefined) return TeacherVectors.open(found, {records, width, signal});
	if (!loss.needs?.teacher) return undefined;
	const expected = `expected a file of vectors of ${name} for the loss ${loss.name}`;
	throw new EngineError('OPTION_MISSING', `eval-teacher-vectors: ${expected}, got none`);
}

type Place = {name: string | undefined; path: string};

/** Refuses vectors that belong to no held-out rows, or that nothing learns from. */
export function expectHeldOutTeachers(
	settings: Pick<TrainSettings, 'evalTeacherVectors'>,
	names: readonly string[],
	{name, needs}: Loss,
): void {
	const places = pathsOf(settings);
	if (places.length === 0) return;
	if (needs && !needs.teacher) conflict('a loss that learns from vectors', name);
	if (names.length === 0) conflict('--eval-loss beside it', 'none');
	const isAlone = places.length === 1 && names.length === 1;
	const stranger = places.find(place => !(place.name === undefined && isAlone) && !has(place));
	if (stranger !== undefined) {
		const got = stranger.name ?? stranger.path;
		conflict(`name=file with a name of --eval-loss (${names.join(', ')})`, got);
	}
	const twice = places.find((place, n) => places.findIndex(each => each.name === place.name) < n);
	if (twice !== undefined) conflict('one file for each name', `another for ${twice.name}`);

	function has(place: Place): boolean {
		return place.name !== undefined && names.includes(place.name);
	}
}

function pathsOf({evalTeacherVectors = []}: Pick<TrainSettings, 'evalTeacherVectors'>): Place[] {
	return [evalTeacherVectors].flat().map(entry => {
		const [, name, path = entry] = /^([\w.-]+)=(.+)$/.exec(entry) ?? [];
		return {name, path};
	});
}

function conflict(expected: string, got: string): never {
	const message = `eval-teacher-vectors: expected ${expected}, got ${got}`;
	throw new EngineError('OPTION_CONFLICT', message);
}
