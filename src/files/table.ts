// Tables of plain text for people: columns of equal width, no lines around them.

export type Alignment = 'left' | 'right';

/**
Rows as lines, cells padded to the width of their column and parted by two spaces. Rows may be of unequal
length; a column without an alignment is aligned left, the first, and right, the others.

@example
formatTable([['set', 'nDCG@10'], ['scifact', '0.6451']]); // 'set      nDCG@10\nscifact   0.6451'
*/
export function formatTable(
	rows: readonly (readonly string[])[],
	{align = []}: {align?: readonly Alignment[]} = {},
): string {
	const widths: number[] = [];
	for (const row of rows) {
		row.forEach((cell, column) => {
			widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell));
		});
	}

	const lines = rows.map(row => {
		const cells = row.map((cell, column) => {
			const padding = ' '.repeat(widths[column]! - displayWidth(cell));
			const alignment = align[column] ?? (column === 0 ? 'left' : 'right');
			return alignment === 'left' ? cell + padding : padding + cell;
		});
		return cells.join('  ').trimEnd();
	});
	return lines.join('\n');
}

// Chinese, Japanese, Korean and emoji take two cells of a terminal, combining marks none.
const wide =
	/^[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6]|^\p{Emoji_Presentation}|^[\u{20000}-\u{3FFFD}]/u;
const zero = /^[\p{Mark}\u200B-\u200D]/u;

/** The cells of a terminal that a text takes. */
export function displayWidth(text: string): number {
	let width = 0;
	for (const character of text) {
		if (wide.test(character)) width += 2;
		else if (!zero.test(character)) width += 1;
	}

	return width;
}
