// Options of a model that is to be trained: parts of it that begin anew instead of coming from a file.

import {z} from 'zod';
import {EngineError} from '../errors.js';
import {kebabCase} from '../option-names.js';
import {parseOptions} from '../options.js';
import {denseActivations} from './dense-activations.js';

type ActivationName = keyof typeof denseActivations;

export const newPartsSchema = z.object({
	init: z.string().min(1).optional().meta({
		description: 'train from scratch: the config.json of what begins with random weights',
		placeholder: 'CONFIG',
	}),
	dense: z
		.int()
		.min(1)
		.max(2 ** 20)
		.optional()
		.describe('a new Dense of so many outputs behind pooling'),
	denseActivation: z
		.enum(Object.keys(denseActivations) as [ActivationName, ...ActivationName[]])
		.optional()
		.describe('activation of the new Dense (default identity)'),
	densePooler: z
		.boolean()
		.optional()
		.describe('a new dense pooler: a Dense as wide as what it reads, without bias'),
	towers: z
		.enum(['shared', 'separate'])
		.optional()
		.describe('one encoder for all texts, or one of queries and one of documents'),
	documentModel: z.string().min(1).optional().meta({
		description: 'what the tower of documents begins as (default: the model too)',
		placeholder: 'PATH|ID',
	}),
	denseBias: z.boolean().optional().describe('whether the new Dense has a bias (default true)'),
});

/** What begins anew, and the seed of its values. */
export type NewParts = Partial<z.output<typeof newPartsSchema>> & {seed?: number | undefined};

const seedSchema = z.object({seed: z.int().min(0).max(0xffffffff).optional()});

/** The options of new parts among others, checked. */
export function newPartsOf(options: NewParts, where: string): NewParts {
	const {seed} = parseOptions(seedSchema, {seed: options.seed}, where);
	const names = Object.keys(newPartsSchema.shape) as (keyof typeof newPartsSchema.shape)[];
	const given = Object.fromEntries(names.map(name => [name, options[name]]));
	const parts = parseOptions(newPartsSchema, given, where);
	if (parts.densePooler && parts.dense !== undefined) {
		const message = `${where}: dense-pooler: expected this or dense, got both`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	for (const name of ['denseActivation', 'denseBias'] as const) {
		if (parts[name] === undefined || parts.dense !== undefined) continue;
		const message = `${where}: ${kebabCase(name)}: expected dense beside it, got none`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	if (parts.documentModel !== undefined && parts.towers !== 'separate') {
		const message = `${where}: document-model: expected towers separate beside it, got ${parts.towers ?? 'none'}`;
		throw new EngineError('OPTION_CONFLICT', message);
	}
	return {...parts, seed};
}
