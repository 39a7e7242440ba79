// Remembers the ids of short pieces of text; when it is full it starts anew, so its memory is bounded.

const longestRemembered = 48;
const mostRemembered = 1 << 16;

export class WordCache {
	readonly #words = new Map<string, readonly number[]>();

	get(word: string): readonly number[] | undefined {
		return this.#words.get(word);
	}

	set(word: string, ids: readonly number[]): void {
		if (word.length > longestRemembered) return;
		if (this.#words.size === mostRemembered) this.#words.clear();
		// A slice would keep the whole text alive that it was cut from.
		this.#words.set(word.split('').join(''), ids);
	}
}
