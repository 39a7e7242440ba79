// Texts of every kind of character, from a seed: marks, scripts, symbols, halves of pairs, long words.

const ranges = [
	[0x20, 0x7f],
	[0x20, 0x7f],
	[0x61, 0x7b],
	[0x0, 0x100],
	[0xc0, 0x250],
	[0x300, 0x370],
	[0x370, 0x530],
	[0x590, 0x700],
	[0x900, 0xe80],
	[0xe80, 0x1200],
	[0x1e00, 0x2100],
	[0x2100, 0x3000],
	[0x3000, 0x3100],
	[0x4e00, 0x9fff],
	[0xac00, 0xd7a4],
	[0xd7b0, 0xe010],
	[0xf900, 0x10000],
	[0x10000, 0x12000],
	[0x1d100, 0x1d500],
	[0x1f1e6, 0x1f200],
	[0x1f300, 0x1f650],
	[0x2a6d0, 0x2a700],
	[0x2f800, 0x2fa20],
	[0xe0000, 0xe0200],
] as const;

const words = [
	...[' ', ' ', '  ', '\r\n', '\t', '\n\n ', '\u00a0', '\u3000', '\u200d', '\u200b', '\ufeff'],
	...['the ', ' the', 'the', "don't", "WE'LL", "'s", '1234', '½', '__', '``', '-', '<', '...'],
	...[
		'<s>',
		'<s><s>',
		'<mask>',
		' <mask> ',
		'É',
		'é',
		'e\u0301',
		'ΑΣ',
		'İ',
		'ß',
		'中日',
		'▁',
		'▁▁',
	],
	...[
		'가',
		'\u1100\u1161\u11a8',
		'\u0915\u094d\u0937',
		'\u0e33',
		'\ud800',
		'\udc00',
		'👩‍👩‍👧',
		'🇩🇪',
	],
	...['a\u0323\u0307', '\u0307\u0323', '\u0344', '\u0f73', '\uff76\uff9e', '\u0600a', '\u{1d165}'],
];

export function randomTexts(count: number, seed = 1): string[] {
	const random = generator(seed);
	const pick = <Value>(list: readonly Value[]) => list[Math.floor(random() * list.length)]!;
	const texts = ['', ' ', 'a'.repeat(3000), 'é'.repeat(200), '\u0301'.repeat(100), ' '.repeat(300)];
	while (texts.length < count) {
		const few = random() < 0.7 ? [pick(ranges), pick(ranges)] : ranges;
		let text = '';
		const parts = 1 + Math.floor(random() ** 2 * 40);
		for (let n = 0; n < parts; n++) {
			const [begin, end] = pick(few);
			text += String.fromCodePoint(begin + Math.floor(random() * (end - begin)));
			if (random() < 0.5) text += pick(words);
		}
		texts.push(text);
	}
	return texts;
}

function generator(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state * 48271) % 2147483647;
		return state / 2147483647;
	};
}
