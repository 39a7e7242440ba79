// Changes of JSON that keep it JSON, so that inputs get past the parser.

const values = [
	null,
	true,
	false,
	0,
	1,
	-1,
	0.5,
	2 ** 31,
	2 ** 53,
	1e308,
	'',
	'a',
	'\ud800',
	'\u0000',
	'constructor',
	'toString',
	'__proto__',
];
/** How deep values are nested; the depths that overflow a stack make long inputs, so they are rare. */
const depths = [1, 2, 3, 10];
const deepest = [1000, 4000];

/** The text of a JSON value with one to three parts changed; undefined when `text` is no JSON. */
export function mutateJson(text, random, {words}) {
	let root;
	try {
		root = {it: JSON.parse(text)};
	} catch {
		return undefined;
	}
	for (let left = 1 + random.below(3); left > 0; left--) change(root, random, words);
	const result = stringify(root.it);
	return random.chance(16) ? withKeyTwice(result, random) : result;
}

function change(root, random, words) {
	const places = placesIn(root);
	const {holder, key} = random.one(places);
	const other = random.one(places);
	const set = value => {
		holder[key] = value;
	};
	const isList = Array.isArray(holder);
	const changes = [
		() => set(random.one(values)),
		() => set(random.one(words)),
		() => set(copyOf(other.holder[other.key])),
		() => set(near(holder[key], random)),
		() => set(nested(holder[key], random)),
	];
	if (isList)
		changes.push(
			() => holder.splice(key, 1),
			() => holder.splice(key, 0, holder[key]),
		);
	else if (holder !== root) {
		changes.push(
			() => delete holder[key],
			() => rename(holder, key, random.chance(8) ? random.one(inherited) : random.one(words)),
		);
	}
	random.one(changes)();
}

/** What every object has: readers that look a name up in a table must not find these. */
const inherited = ['constructor', 'toString', '__proto__', 'hasOwnProperty'];

function rename(holder, key, name) {
	const value = copyOf(holder[key]);
	Object.defineProperty(holder, name, {
		value,
		enumerable: true,
		configurable: true,
		writable: true,
	});
}

/** All places where a value stands, as holder and key. */
function placesIn(root) {
	const places = [{holder: root, key: 'it'}];
	for (let n = 0; n < places.length && places.length < 2000; n++) {
		const value = places[n].holder[places[n].key];
		if (typeof value !== 'object' || value === null) continue;
		for (const key of Object.keys(value)) places.push({holder: value, key});
	}
	return places;
}

function near(value, random) {
	if (typeof value === 'number') return value + random.one([-1, 1, 0.5, 2 ** 31]);
	if (typeof value !== 'string') return [value];
	const at = random.below(value.length + 1);
	return (
		value.slice(0, at) +
		random.one(['\\', '(', ')*', '+', ' ', '\n', 'é', '\u{1f600}']) +
		value.slice(at)
	);
}

/** The value inside many arrays, or inside many objects of the same kind. */
function nested(value, random) {
	const depth = random.one(random.chance(50) ? deepest : depths);
	const key = random.one(['', 'normalizers', 'pretokenizers', 'processors']);
	let result = value;
	for (let n = 0; n < depth; n++) {
		result = key === '' ? [result] : {type: 'Sequence', [key]: [result]};
	}
	return result;
}

function copyOf(value) {
	try {
		return structuredClone(value);
	} catch {
		return null;
	}
}

/** JSON.stringify overflows the stack on what is nested deeply; then the change is given up. */
function stringify(value) {
	try {
		return JSON.stringify(value) ?? 'null';
	} catch {
		return '['.repeat(20_000) + ']'.repeat(20_000);
	}
}

function withKeyTwice(text, random) {
	const keys = [...text.matchAll(/"[^"\\]*":/g)];
	if (keys.length === 0) return text;
	const {index, 0: key} = random.one(keys);
	return `${text.slice(0, index)}${key}0,${text.slice(index)}`;
}
