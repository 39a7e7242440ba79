// What makes a text worthless: nothing to read in it, or an encoding gone wrong.

/** Words that stand where a table had nothing. */
const placeholders = new Set(['nan', 'null', 'none', 'n/a', 'undefined', '#n/a', 'nil']);

/** UTF-8 that was read as Latin-1 or Windows-1252 and written again. */
const misread = /Ã[\u0080-\u00bf\u2018-\u2122]|â€[\u0090-\u2122]|Â[\u00a0-\u00bf]/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

const longestWord = 400;

/** What is wrong with a text, in words; nothing for one that can be read. */
export function garbageOf(text: string): string | undefined {
	if (!/[\p{L}\p{N}]/u.test(text)) return 'no letter and no digit';
	if (placeholders.has(text.trim().toLowerCase())) return 'a word for nothing';
	if (text.includes('\ufffd')) return 'characters that were lost (U+FFFD)';
	if (/\p{Surrogate}/u.test(text)) return 'half a character (a lone surrogate)';
	if (control.test(text)) return 'control characters';
	if (misread.test(text)) return 'UTF-8 that was read as Latin-1';
	if (isUnbroken(text)) return `a word of more than ${longestWord} characters`;
	return isMonotonous(text) ? 'one character over and over' : undefined;
}

export function hasMarkup(text: string): boolean {
	return /<\/?(?:br|p|div|span|a|b|i|li|ul|ol|td|tr|table|h[1-6]|img|strong|em)\b[^<>]*>/i.test(
		text,
	);
}

/** Letters without an end, as in encoded files; scripts without blanks have none of these letters. */
function isUnbroken(text: string): boolean {
	if (text.length <= longestWord) return false;
	return new RegExp(`[A-Za-z0-9+/=_-]{${longestWord + 1}}`).test(text);
}

function isMonotonous(text: string): boolean {
	if (text.length < 16) return false;
	const first = text.trim()[0]!;
	return text.trim().replaceAll(first, '').trim() === '';
}
