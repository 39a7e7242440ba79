// Which parameters stay as they are.

import {EngineError} from '../errors.js';

/**
The names of the parameters that `--freeze` means: `embeddings` (all tables and their norm), `positions`,
`blocks`, `blocks:<i>`, `blocks:<i>-<j>`, `layers` (the weights of a mean of layers), `head`; of a model of two towers these of both, `query` or `document`
for a whole tower, and `query.embeddings`, `document.blocks:0-3`, … for parts of one.
*/
export function frozenParameters(parts: readonly string[], names: readonly string[]): string[] {
	const frozen = new Set<string>();
	for (const part of parts) {
		const isMeant = isPart(part);
		const found = names.filter(isMeant);
		const blocks = found.map(name => blockOf(name) ?? -1);
		if (found.length === 0 || lastBlock(part) > Math.max(...blocks)) {
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
	return Number(/blocks:\d+-(\d+)$/.exec(part)?.[1] ?? -1);
}

/** A parameter's tower in a model of two, and its name in the tower. */
export function placeInTower(name: string): {tower: 'query' | 'document'; own: string} {
	const own = /^document\.(.*)$/s.exec(name)?.[1];
	return own === undefined ? {tower: 'query', own: name} : {tower: 'document', own};
}

/** Whether a parameter belongs to a part; of a model of two towers a part of one, or that part of both. */
export function isPart(part: string): (name: string) => boolean {
	const [, tower, inner] = /^(query|document)(?:\.(.+))?$/s.exec(part) ?? [
		undefined,
		undefined,
		part,
	];
	const isOwn = inner === undefined ? () => true : isOwnPart(inner);
	return name => {
		const place = placeInTower(name);
		return (tower === undefined || tower === place.tower) && isOwn(place.own);
	};
}

/** The same of the names in a tower. */
function isOwnPart(part: string): (name: string) => boolean {
	if (part === 'embeddings') return name => name.startsWith('embedding.');
	if (part === 'positions') {
		return name => name === 'embedding.positions' || name === 'relativeBias';
	}
	if (part === 'head') return name => name.startsWith('head.');
	if (part === 'layers') return name => name.startsWith('layers.');
	const blocks = /^blocks(?::(\d+)(?:-(\d+))?)?$/.exec(part);
	if (!blocks) {
		throw new EngineError(
			'OPTION_RANGE',
			`freeze: expected embeddings, positions, blocks, blocks:<i>, blocks:<i>-<j>, layers, head, query or document, got ${part}`,
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
	const block = /^blocks\.(\d+)\./.exec(placeInTower(name).own)?.[1];
	return block === undefined ? undefined : Number(block);
}
