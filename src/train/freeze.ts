// Which parameters stay as they are.

import {EngineError} from '../errors.js';

/**
The names of the parameters that `--freeze` means: `embeddings` (all tables and their norm), `positions`,
`blocks`, `blocks:<i>`, `blocks:<i>-<j>`, `head`.
*/
export function frozenParameters(parts: readonly string[], names: readonly string[]): string[] {
	const frozen = new Set<string>();
	for (const part of parts) {
		const isMeant = isPart(part);
		const found = lastBlock(part) > blocksOf(names) - 1 ? [] : names.filter(isMeant);
		if (found.length === 0) {
			throw new EngineError(
				'OPTION_RANGE',
				`freeze: expected a part of this model, got ${part}, which it has not`,
			);
		}
		for (const name of found) frozen.add(name);
	}
	if (frozen.size > 0 && frozen.size === names.length) {
		throw new EngineError(
			'OPTION_RANGE',
			'freeze: expected something left to train, got every part',
		);
	}
	return [...frozen];
}

/** The last block that a range names; -1 when it names none. */
function lastBlock(part: string): number {
	return Number(/^blocks:\d+-(\d+)$/.exec(part)?.[1] ?? -1);
}

function blocksOf(names: readonly string[]): number {
	return new Set(names.flatMap(name => /^blocks\.\d+/.exec(name) ?? [])).size;
}

/** Whether a parameter belongs to a part. */
export function isPart(part: string): (name: string) => boolean {
	if (part === 'embeddings') return name => name.startsWith('embedding.');
	if (part === 'positions') {
		return name => name === 'embedding.positions' || name === 'relativeBias';
	}
	if (part === 'head') return name => name.startsWith('head.');
	const blocks = /^blocks(?::(\d+)(?:-(\d+))?)?$/.exec(part);
	if (!blocks) {
		throw new EngineError(
			'OPTION_RANGE',
			`freeze: expected embeddings, positions, blocks, blocks:<i>, blocks:<i>-<j> or head, got ${part}`,
		);
	}
	const first = blocks[1] === undefined ? 0 : Number(blocks[1]);
	const last = Number(blocks[2] ?? blocks[1] ?? Number.POSITIVE_INFINITY);
	return name => {
		const block = blockOf(name);
		return block !== undefined && block >= first && block <= last;
	};
}

/** The number of the block that a parameter belongs to. */
export function blockOf(name: string): number | undefined {
	const block = /^blocks\.(\d+)\./.exec(name)?.[1];
	return block === undefined ? undefined : Number(block);
}
