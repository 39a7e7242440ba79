// The WordPiece model: words to ids, longest piece first.

export interface WordPieceOptions {
	readonly vocabulary: ReadonlyMap<string, number>;
	readonly unknownId: number;
	/** What a piece begins with that continues a word. */
	readonly continuingPrefix: string;
	/** Longer words, in code points, are unknown. */
	readonly longestWord: number;
}

export class WordPiece {
	readonly #options: WordPieceOptions;
	/** Pieces that continue a word, without their prefix. */
	readonly #continuing = new Map<string, number>();
	readonly #longestPiece: number;

	constructor(options: WordPieceOptions) {
		this.#options = options;
		const {continuingPrefix: prefix} = options;
		let longest = 0;
		for (const [piece, id] of options.vocabulary) {
			longest = Math.max(longest, piece.length);
			if (piece.startsWith(prefix)) this.#continuing.set(piece.slice(prefix.length), id);
		}
		this.#longestPiece = longest;
	}

	/** From left to right; a word with a gap is unknown as a whole. */
	pieces(word: string): readonly number[] {
		const {unknownId, longestWord} = this.#options;
		if (word.length > longestWord && countCodePoints(word) > longestWord) return [unknownId];
		const ids: number[] = [];
		for (let begin = 0; begin < word.length; ) {
			begin = this.#piece(word, begin, ids);
			if (begin < 0) return [unknownId];
		}
		return ids;
	}

	/** Adds the longest piece at `begin` and returns where it ends, or -1 when none fits. */
	#piece(word: string, begin: number, ids: number[]): number {
		const pieces = begin === 0 ? this.#options.vocabulary : this.#continuing;
		for (let end = Math.min(word.length, begin + this.#longestPiece); end > begin; end--) {
			const id = pieces.get(word.slice(begin, end));
			if (id === undefined) continue;
			ids.push(id);
			return end;
		}
		return -1;
	}
}

function countCodePoints(text: string): number {
	let count = 0;
	for (const _ of text) count++;
	return count;
}
