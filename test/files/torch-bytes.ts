// Pickles and zip archives made byte by byte, to be as wrong as a test wants.

/** Operations of a pickle by their names in pickletools. */
export const op = {
	proto: (version = 2) => Buffer.of(0x80, version),
	stop: Buffer.from('.'),
	mark: Buffer.from('('),
	none: Buffer.from('N'),
	true: Buffer.of(0x88),
	int: (value: number) => numbered('J', value),
	long4: (length: number) => numbered(0x8b, length),
	long1: (...bytes: number[]) => Buffer.of(0x8a, bytes.length, ...bytes),
	text: (text: string) =>
		Buffer.concat([numbered('X', Buffer.byteLength(text)), Buffer.from(text)]),
	shortText: (text: string) => Buffer.concat([Buffer.of(0x8c, text.length), Buffer.from(text)]),
	global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
	stackGlobal: Buffer.of(0x93),
	reduce: Buffer.from('R'),
	build: Buffer.from('b'),
	persistent: Buffer.from('Q'),
	emptyTuple: Buffer.from(')'),
	emptyList: Buffer.from(']'),
	emptyDict: Buffer.from('}'),
	tuple: Buffer.from('t'),
	tuple1: Buffer.of(0x85),
	tuple2: Buffer.of(0x86),
	append: Buffer.from('a'),
	appends: Buffer.from('e'),
	setItem: Buffer.from('s'),
	setItems: Buffer.from('u'),
	put: (place: number) => numbered('r', place),
	get: (place: number) => numbered('j', place),
	memoize: Buffer.of(0x94),
} as const;

function numbered(code: string | number, value: number): Buffer {
	const bytes = Buffer.alloc(5);
	bytes[0] = typeof code === 'string' ? code.charCodeAt(0) : code;
	bytes.writeUInt32LE(value >>> 0, 1);
	return bytes;
}

export const many = (part: Uint8Array, count: number) => Buffer.concat(Array(count).fill(part));

export const pickle = (...parts: readonly Uint8Array[]) =>
	Buffer.concat([op.proto(), ...parts, op.stop]);

const tupleOf = (...values: readonly Uint8Array[]) => Buffer.concat([op.mark, ...values, op.tuple]);

export interface PickledTensor {
	type?: string;
	key?: string;
	/** Values of the storage. */
	count?: number;
	at?: number;
	shape?: readonly number[];
	strides?: readonly number[];
}

/** The operations that rebuild a tensor, as torch.save writes them. */
export function pickledTensor({
	type = 'FloatStorage',
	key = '0',
	count = 6,
	at = 0,
	shape = [2, 3],
	strides = [3, 1],
}: PickledTensor = {}): Buffer {
	const id = tupleOf(
		...[op.text('storage'), op.global('torch', type), op.text(key), op.text('cpu')],
		op.int(count),
	);
	const args = tupleOf(
		...[id, op.persistent, op.int(at), tupleOf(...shape.map(op.int))],
		...[tupleOf(...strides.map(op.int)), op.none, op.none],
	);
	return Buffer.concat([op.global('torch._utils', '_rebuild_tensor_v2'), args, op.reduce]);
}

/** A dict of one tensor, `weight`. */
export const pickledTable = (tensor: Uint8Array) =>
	pickle(op.emptyDict, op.text('weight'), tensor, op.setItem);

export interface Member {
	name: string;
	data: Uint8Array;
	method?: number;
	flags?: number;
	/** What the directory says instead. */
	claims?: {size?: number; compressed?: number; header?: number; name?: string};
}

/** An archive of members behind one another. */
export function zipOf(members: readonly Member[], end: Partial<ZipEnd> = {}): Buffer {
	const headers: Buffer[] = [];
	const bodies: Buffer[] = [];
	let at = 0;
	for (const member of members) {
		const body = Buffer.concat([localHeader(member), member.data]);
		headers.push(centralHeader(member, at));
		bodies.push(body);
		at += body.length;
	}

	const directory = Buffer.concat(headers);
	const found = {count: members.length, bytes: directory.length, begin: at, ...end};
	return Buffer.concat([...bodies, directory, endRecord(found)]);
}

interface ZipEnd {
	count: number;
	bytes: number;
	begin: number;
}

function localHeader({name, data, method = 0, flags = 0}: Member): Buffer {
	const header = Buffer.alloc(30);
	header.writeUInt32LE(0x04034b50);
	header.writeUInt16LE(flags, 6);
	header.writeUInt16LE(method, 8);
	header.writeUInt32LE(data.length, 18);
	header.writeUInt32LE(data.length, 22);
	header.writeUInt16LE(Buffer.byteLength(name), 26);
	return Buffer.concat([header, Buffer.from(name)]);
}

function centralHeader(
	{name, data, method = 0, flags = 0, claims = {}}: Member,
	at: number,
): Buffer {
	const header = Buffer.alloc(46);
	const claimed = Buffer.from(claims.name ?? name);
	header.writeUInt32LE(0x02014b50);
	header.writeUInt16LE(flags, 8);
	header.writeUInt16LE(method, 10);
	header.writeUInt32LE(claims.compressed ?? claims.size ?? data.length, 20);
	header.writeUInt32LE(claims.size ?? data.length, 24);
	header.writeUInt16LE(claimed.length, 28);
	header.writeUInt32LE(claims.header ?? at, 42);
	return Buffer.concat([header, claimed]);
}

function endRecord({count, bytes, begin}: ZipEnd): Buffer {
	const record = Buffer.alloc(22);
	record.writeUInt32LE(0x06054b50);
	record.writeUInt16LE(count, 8);
	record.writeUInt16LE(count, 10);
	record.writeUInt32LE(bytes, 12);
	record.writeUInt32LE(begin, 16);
	return record;
}

/** The members of a file of torch with this pickle and one storage. */
export const torchMembers = (
	table: Uint8Array,
	values: Uint8Array = new Uint8Array(24),
): Member[] => [
	{name: 'archive/data.pkl', data: table},
	{name: 'archive/byteorder', data: Buffer.from('little')},
	{name: 'archive/data/0', data: values},
];

/** A file of before torch 1.6: what its pickles say, and one storage with its length. */
export function oldFile({
	version = 1001,
	isLittle = true,
	keys = ['0'],
	values = new Uint8Array(24),
	count = values.length / 4,
} = {}): Buffer {
	const begin = Buffer.of(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19);
	const truth = isLittle ? op.true : op.none;
	const length = Buffer.alloc(8);
	length.writeBigInt64LE(BigInt(count));
	return Buffer.concat([
		pickle(op.long1(...begin)),
		pickle(op.int(version)),
		pickle(op.emptyDict, op.text('little_endian'), truth, op.setItem),
		pickledTable(pickledTensor()),
		pickle(op.emptyList, op.mark, ...keys.map(op.text), op.appends),
		...[length, values],
	]);
}
