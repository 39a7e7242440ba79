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
	/** Made for the first word: native code does without. */
	#continuing: ReadonlyMap<string, number> | undefined;
	#longestPiece = 0;

	constructor(options: WordPieceOptions) {
		this.#options = options;
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
		this.#continuing ??= this.#continuingPieces();
		const pieces = begin === 0 ? this.#options.vocabulary : this.#continuing;
		for (let end = Math.min(word.length, begin + this.#longestPiece); end > begin; end--) {
			const id = pieces.get(word.slice(begin, end));
			if (id === undefined) continue;
			ids.push(id);
			return end;
		}
		return -1;
	}

	/** Pieces that continue a word, without their prefix. */
	#continuingPieces(): Map<string, number> {
		const {vocabulary, continuingPrefix: prefix} = this.#options;
		const pieces = new Map<string, number>();
		for (const [piece, id] of vocabulary) {
			this.#longestPiece = Math.max(this.#longestPiece, piece.length);
			if (piece.startsWith(prefix)) pieces.set(piece.slice(prefix.length), id);
		}
		return pieces;
	}
}

function countCodePoints(text: string): number {
	let count = 0;
	for (const _ of text) count++;
	return count;
}
