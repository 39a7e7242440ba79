// Builds faults into the copy of the sources, as many at once as can be chosen between (switches.mjs);
// what is left, each alone.

import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {root} from '../freshness.mjs';
import {BuildError} from '../toolchain.mjs';
import {faultLists, planted} from './lists.mjs';
import {numbersIn, switched} from './switches.mjs';
import {build, write} from './tree.mjs';

/** Rounds of faults, {faults, isAlone, isBroken}, that are built in while each is looked at. */
export class Rounds {
	#all = faultLists().flatMap(list => list.faults.map(numbered));
	#left;
	#refused = new Set(); // numbers of those that do not compile as choices

	constructor(faults) {
		this.#left = faults.map(numbered);
	}

	async *[Symbol.asyncIterator]() {
		for (let faults = await this.#together(); faults.length > 0; faults = await this.#together()) {
			yield {faults, isAlone: false, isBroken: false};
			this.#left = this.#left.filter(fault => !faults.includes(fault));
		}
		for (const fault of this.#left) yield await this.#alone(fault);
	}

	async #together() {
		for (;;) {
			const faults = this.#plantChoices();
			if (faults.length === 0) return [];
			const said = await build();
			if (!said) return faults;
			const refused = numbersIn(said);
			if (refused.size === 0) {
				throw new BuildError(`faults: the sources do not compile\n${said.slice(-2000)}`);
			}
			for (const number of refused) this.#refused.add(number);
		}
	}

	// All that can be, so that a later run finds what it needs built; which of those that are left.
	#plantChoices() {
		const left = new Set(this.#left.map(({number}) => number));
		const isLater = ({number}) => Number(!left.has(number));
		const allowed = this.#all.filter(({number}) => !this.#refused.has(number));
		const sources = new Set(this.#all.map(({source}) => source));
		const planted = [...sources].flatMap(source => {
			const own = allowed.filter(fault => fault.source === source);
			const ordered = own.toSorted((a, b) => isLater(a) - isLater(b));
			const {text, chosen} = switched(wholeOf(source), ordered);
			write(source, text);
			return chosen.map(({number}) => number);
		});
		const chosen = new Set(planted);
		return this.#left.filter(({number}) => chosen.has(number));
	}

	async #alone(fault) {
		for (const {source} of this.#left) write(source, wholeOf(source));
		const text = planted(wholeOf(fault.source), fault);
		if (text === undefined) {
			const {source, what, from} = fault;
			throw new BuildError(`faults: ${source}: expected once, for "${what}":\n${from}`);
		}
		write(fault.source, text);
		return {faults: [fault], isAlone: true, isBroken: Boolean(await build())};
	}
}

// The number is of the fault alone, so that what was built of a source before is found in the cache.
function numbered(fault) {
	const hash = createHash('sha256').update(`${fault.list} ${fault.what}`).digest('hex');
	return {...fault, number: Number.parseInt(hash.slice(0, 7), 16)};
}

const wholeOf = source => readFileSync(join(root, source), 'utf8');
