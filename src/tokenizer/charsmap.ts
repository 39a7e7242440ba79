// The precompiled normaliser of SentencePiece: a double-array trie over UTF-8 from what is found to
// where its replacement begins. Read as the Rust library reads it, quirks included.

import type {Growth} from './growth.js';
import {invalid} from './json.js';

/** Replacements are for clusters of fewer bytes; longer ones go character by character. */
const longestCluster = 6;
/** Text whose characters are clusters of their own, or a run with what may cluster. */
const runs =
	/(?:(?!\r\n[^\p{ASCII}])\p{ASCII}(?!\P{ASCII}))+|(?:\r\n|\p{ASCII})?\P{ASCII}+|\p{ASCII}/gu;
const notAscii = /\P{ASCII}/u;

export class Charsmap {
	readonly #units: Uint32Array;
	readonly #replacements: Buffer;
	readonly #clusters = new Intl.Segmenter('en', {granularity: 'grapheme'});
	/** What each cluster became; most texts have few different ones. */
	readonly #known = new Map<string, string>();

	constructor(base64: string, where: string) {
		const bytes = Buffer.from(base64, 'base64');
		const size = bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
		if (size === 0 || size % 4 !== 0 || 4 + size > bytes.length) {
			throw invalid(where, 'a trie and its replacements', `${bytes.length} bytes`);
		}
		this.#units = new Uint32Array(size / 4);
		for (let n = 0; n < this.#units.length; n++) this.#units[n] = bytes.readUInt32LE(4 + 4 * n);
		this.#replacements = bytes.subarray(4 + size);
	}

	normalize(text: string, growth: Growth): string {
		let result = '';
		const replace = (cluster: string) => {
			const replaced = this.#cluster(cluster);
			growth.add(replaced.length);
			result += replaced;
		};
		for (const [run] of text.matchAll(runs)) {
			if (notAscii.test(run)) {
				for (const {segment} of this.#clusters.segment(run)) replace(segment);
			} else {
				for (const cluster of run.match(/\r\n|./gsu) ?? []) replace(cluster);
			}
		}
		return result;
	}

	#cluster(cluster: string): string {
		let replaced = this.#known.get(cluster);
		if (replaced === undefined) {
			replaced = this.#replaceCluster(cluster);
			if (this.#known.size === 1 << 14) this.#known.clear();
			this.#known.set(cluster, replaced);
		}
		return replaced;
	}

	#replaceCluster(cluster: string): string {
		if (Buffer.byteLength(cluster) < longestCluster) {
			const whole = this.#find(cluster);
			if (whole !== undefined) return whole;
		}
		let result = '';
		for (const char of cluster) result += this.#find(char) ?? char;
		return result;
	}

	/** The replacement of the shortest beginning of `text` that has one. */
	#find(text: string): string | undefined {
		const units = this.#units;
		let place = offsetOf(units[0]!);
		for (const byte of Buffer.from(text)) {
			if (byte === 0) return undefined;
			place ^= byte;
			const unit = units[place];
			if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
			place ^= offsetOf(unit);
			if ((unit >>> 8) & 1) return this.#replacement(units[place] ?? 0);
		}
		return undefined;
	}

	#replacement(unit: number): string {
		const begin = unit & 0x7fffffff;
		const end = this.#replacements.indexOf(0, begin);
		return this.#replacements.toString('utf8', begin, end < 0 ? undefined : end);
	}
}

function offsetOf(unit: number): number {
	return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
