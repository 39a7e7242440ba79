// Builds faults into the copy of the sources, as many at once as can be chosen between (switches.mjs);
// what is left, each alone.

import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {root} from '../freshness.mjs';
import {BuildError} from '../toolchain.mjs';
import {planted} from './lists.mjs';
import {numbersIn, switched} from './switches.mjs';
import {build, write} from './tree.mjs';

/** Rounds of faults, {faults, isAlone, isBroken}, that are built in while each is looked at. */
export class Rounds {
	#left;
	#refused = new Set(); // numbers of those that do not compile as choices

	constructor(faults) {
		this.#left = faults.map(fault => ({...fault, number: numberOf(fault)}));
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
			if (faults.length === 0) return faults;
			const said = await build();
			if (!said) return faults;
			const refused = numbersIn(said);
			if (refused.size === 0) {
				throw new BuildError(`faults: the sources do not compile\n${said.slice(-2000)}`);
			}
			for (const number of refused) this.#refused.add(number);
		}
	}

	#plantChoices() {
		const sources = new Set(this.#left.map(({source}) => source));
		const allowed = this.#left.filter(({number}) => !this.#refused.has(number));
		return [...sources].flatMap(source => {
			const whole = wholeOf(source);
			const {text, chosen} = switched(
				whole,
				allowed.filter(fault => fault.source === source),
			);
			write(source, chosen.length > 0 ? text : whole);
			return chosen;
		});
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

// Of the fault alone, so that what was built of a source for an earlier run is found in the cache.
function numberOf({list, what}) {
	return Number.parseInt(
		createHash('sha256').update(`${list} ${what}`).digest('hex').slice(0, 7),
		16,
	);
}

const wholeOf = source => readFileSync(join(root, source), 'utf8');
