// What a text is written in: its script by its letters, and for scripts that many languages share the
// language by its most frequent words. A guess that says so where it has none.

/** Ranges of letters by script. */
const ranges: readonly (readonly [number, number, string])[] = [
	[0x0370, 0x03ff, 'Greek'],
	[0x0400, 0x052f, 'Cyrillic'],
	[0x0530, 0x058f, 'Armenian'],
	[0x0590, 0x05ff, 'Hebrew'],
	[0x0600, 0x077f, 'Arabic'],
	[0x0900, 0x097f, 'Devanagari'],
	[0x0980, 0x09ff, 'Bengali'],
	[0x0b80, 0x0bff, 'Tamil'],
	[0x0e00, 0x0e7f, 'Thai'],
	[0x10a0, 0x10ff, 'Georgian'],
	[0x1100, 0x11ff, 'Hangul'],
	[0x1e00, 0x1eff, 'Latin'],
	[0x3040, 0x30ff, 'Kana'],
	[0x3400, 0x9fff, 'Han'],
	[0xac00, 0xd7af, 'Hangul'],
	[0xf900, 0xfaff, 'Han'],
	[0x20000, 0x323af, 'Han'],
];

/** Languages that a script alone tells. */
const languageOf: Readonly<Record<string, string>> = {
	...{Greek: 'el', Hebrew: 'he', Thai: 'th', Hangul: 'ko', Kana: 'ja', Han: 'zh'},
	...{Armenian: 'hy', Georgian: 'ka', Bengali: 'bn', Tamil: 'ta'},
};

const frequentWords: Readonly<Record<string, string>> = {
	en: 'the of and to in is that for it with as are was on what how do you can from which',
	de: 'der die und das ist nicht ein eine mit zu den von auf für im dem wie auch sich wird',
	fr: 'le la les et des est une dans que pour qui pas sur du avec au ce par plus sont',
	es: 'el los las que del una por con para es como más se su lo al son qué está y',
	it: 'il che della di non per una sono con le gli nel è alla come anche più dei si da',
	pt: 'o os que não uma para com do da em um por mais como dos na são é as no',
	nl: 'de het een van en dat niet met voor zijn op aan er ook maar wordt bij hoe wat kan',
	sv: 'och att det som en på är av för med den till inte om ett har de jag var kan',
	pl: 'nie się na jest że to do jak ale po czy co dla od są za jego przez które w',
	tr: 'bir ve bu için ile da de ne gibi daha çok var olarak mi en kadar sonra olan',
	vi: 'là của và có không được cho các một những trong với người này để khi đã cũng',
	id: 'yang dan di ini untuk dengan dari pada tidak itu adalah dalam akan ke juga oleh',
	ru: 'и в не на что с как это по но к у из за от для так же вы он',
	uk: 'і в не на що з як це та до у за від для є але цей він про ми',
	ar: 'في من على إلى أن ما هو هذا التي عن مع لا كان هي ذلك أو كما قد',
	hi: 'के है में की और से को का एक यह पर नहीं हैं कि भी लिए था तो',
};

const languagesOfWord = new Map<string, string[]>();
for (const [language, words] of Object.entries(frequentWords)) {
	for (const word of words.split(' ')) {
		languagesOfWord.set(word, [...(languagesOfWord.get(word) ?? []), language]);
	}
}

/** Letters and words that are looked at; the beginning says enough. */
const mostLetters = 400;
const mostWords = 60;

export interface Writing {
	/** The script of most letters; none: a text without letters. */
	script: string;
	/** A two-letter code, or `other` where nothing tells. */
	language: string;
}

/** The script and the language of a text. */
export function writingOf(text: string): Writing {
	const counts = new Map<string, number>();
	let letters = 0;
	for (const character of text) {
		const script = scriptOf(character.codePointAt(0)!);
		if (script === undefined) continue;
		counts.set(script, (counts.get(script) ?? 0) + 1);
		if (++letters === mostLetters) break;
	}

	const ranked = [...counts].sort((a, b) => b[1] - a[1]);
	const script = ranked[0]?.[0] ?? 'none';
	// Japanese has its own letters among those of Chinese.
	if (script === 'Han' && (counts.get('Kana') ?? 0) * 5 > letters) {
		return {script: 'Kana', language: 'ja'};
	}

	return {script, language: languageOf[script] ?? byWords(text)};
}

function scriptOf(code: number): string | undefined {
	if (code < 0x41 || (code > 0x5a && code < 0x61) || (code > 0x7a && code < 0xc0)) return;
	if (code < 0x250) return 'Latin';
	return ranges.find(([first, last]) => code >= first && code <= last)?.[2];
}

/** The language whose frequent words occur most; two of them must. */
function byWords(text: string): string {
	const words =
		text
			.slice(0, mostLetters)
			.toLowerCase()
			.match(/[\p{L}\p{M}]+/gu) ?? [];
	const votes = new Map<string, number>();
	for (const word of words.slice(0, mostWords)) {
		for (const language of languagesOfWord.get(word) ?? []) {
			votes.set(language, (votes.get(language) ?? 0) + 1);
		}
	}

	const [first, second] = [...votes].sort((a, b) => b[1] - a[1]);
	const isClear = first !== undefined && first[1] > 1 && first[1] > (second?.[1] ?? 0);
	return isClear ? first[0] : 'other';
}
