import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	realpathSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import {join, resolve} from 'node:path';
import {afterEach, expect, test} from 'vitest';
import {Output, writeFileAtomic} from '../../dist/files/output.js';
import {temporaryFolder} from './folder.js';

const {folder, put} = temporaryFolder();
const module = resolve('dist/files/output.js');
let count = 0;

/** A folder of its own for each test, so that what is left in it can be listed. */
function place(): string {
	const path = join(realpathSync(folder), `place-${count++}`);
	mkdirSync(path);
	return path;
}

/** Starts a process that runs `body` with `Output`, `target` and `wait` (for ever) at hand. */
function otherProcess(target: string, body: string) {
	const script = `
		import {Output} from ${JSON.stringify(module)};
		import {writeFileSync} from 'node:fs';
		const target = ${JSON.stringify(target)};
		const wait = () => new Promise(() => setInterval(() => {}, 1000));
		${body}`;
	return ['--input-type=module', '-e', script];
}

const started: {kill: (signal: NodeJS.Signals) => boolean}[] = [];

async function startOther(target: string, body: string) {
	const other = spawn('node', otherProcess(target, `${body}; console.log('ready'); await wait();`));
	started.push(other);
	await once(other.stdout, 'data');
	return other;
}

async function kill(other: Awaited<ReturnType<typeof startOther>>) {
	const end = once(other, 'exit');
	other.kill('SIGKILL');
	await end;
}

afterEach(() => {
	for (const other of started.splice(0)) other.kill('SIGKILL');
});

const entries = (path: string) => readdirSync(path).sort();

test('A file is there after commit and not before', async () => {
	const home = place();
	const path = join(home, 'vectors.npy');
	const output = await Output.create(path, {kind: 'file'});
	writeFileSync(output.temporary, 'data');
	expect(existsSync(path)).toBe(false);
	await output.commit();
	await output.discard();
	expect([entries(home), readFileSync(path, 'utf8')]).toEqual([['vectors.npy'], 'data']);
});

test('A folder is there after commit with all that was put into it', async () => {
	const home = place();
	const output = await Output.create(join(home, 'model/'), {kind: 'folder'});
	mkdirSync(join(output.temporary, 'inner'));
	writeFileSync(join(output.temporary, 'inner', 'a'), 'data');
	await output.commit();
	expect(entries(home)).toEqual(['model']);
	expect(readFileSync(join(home, 'model/inner/a'), 'utf8')).toBe('data');
});

test.each([
	['file', ''],
	['folder', '/a'],
] as const)('A discarded %s leaves nothing', async (kind, inner) => {
	const home = place();
	const output = await Output.create(join(home, 'out'), {kind});
	writeFileSync(output.temporary + inner, 'data');
	await output.discard();
	expect(entries(home)).toEqual([]);
	await expect(output.commit()).rejects.toMatchObject({code: 'DISPOSED'});
});

test('An existing output is refused without overwrite, and stays', async () => {
	const home = place();
	mkdirSync(join(home, 'model'));
	writeFileSync(join(home, 'model', 'a'), 'old');
	writeFileSync(join(home, 'file'), 'old');
	const exists = {code: 'OUTPUT_EXISTS'};
	await expect(Output.create(join(home, 'file'), {kind: 'file'})).rejects.toMatchObject(exists);
	await expect(Output.create(join(home, 'model'), {kind: 'folder'})).rejects.toMatchObject(exists);
	expect(entries(home)).toEqual(['file', 'model']);
});

test('An empty folder is no output', async () => {
	const home = place();
	mkdirSync(join(home, 'model'));
	const output = await Output.create(join(home, 'model'), {kind: 'folder'});
	writeFileSync(join(output.temporary, 'a'), 'new');
	await output.commit();
	expect(entries(join(home, 'model'))).toEqual(['a']);
});

test('With overwrite the old output stays until commit and then is gone', async () => {
	const home = place();
	const options = {kind: 'folder', overwrite: true} as const;
	mkdirSync(join(home, 'model'));
	writeFileSync(join(home, 'model', 'old'), 'old');
	const output = await Output.create(join(home, 'model'), options);
	writeFileSync(join(output.temporary, 'new'), 'new');
	expect(entries(join(home, 'model'))).toEqual(['old']);
	await output.commit();
	expect([entries(home), entries(join(home, 'model'))]).toEqual([['model'], ['new']]);

	writeFileSync(join(home, 'file'), 'old');
	const file = await Output.create(join(home, 'file'), {kind: 'file', overwrite: true});
	writeFileSync(file.temporary, 'new');
	await file.commit();
	expect(readFileSync(join(home, 'file'), 'utf8')).toBe('new');
});

test('An output that appeared meanwhile is not overwritten', async () => {
	const home = place();
	const output = await Output.create(join(home, 'out'), {kind: 'file'});
	writeFileSync(output.temporary, 'mine');
	writeFileSync(join(home, 'out'), 'theirs');
	await expect(output.commit()).rejects.toMatchObject({code: 'OUTPUT_EXISTS'});
	expect([entries(home), readFileSync(join(home, 'out'), 'utf8')]).toEqual([['out'], 'theirs']);
});

test('A link is written through, not replaced', async () => {
	const home = place();
	writeFileSync(join(home, 'real'), 'old');
	symlinkSync(join(home, 'real'), join(home, 'link'));
	const output = await Output.create(join(home, 'link'), {kind: 'file', overwrite: true});
	writeFileSync(output.temporary, 'new');
	await output.commit();
	expect(readFileSync(join(home, 'real'), 'utf8')).toBe('new');
	expect(realpathSync(join(home, 'link'))).toBe(join(home, 'real'));
});

test.each([
	['a folder where a file is to be', 'file', () => place()],
	['a file where a folder is to be', 'folder', () => put('plain', '')],
	['a device', 'file', () => '/dev/null'],
	['the folder that is worked in', 'folder', () => '.'],
	['a folder that holds it', 'folder', () => '..'],
	['the root', 'folder', () => '/'],
	['a parent that is not there', 'file', () => join(folder, 'no/such')],
	['a parent that is a file', 'file', () => join(put('parent', ''), 'out')],
] as const)('%s is refused even with overwrite', async (_, kind, path) => {
	const creating = Output.create(path(), {kind, overwrite: true});
	await expect(creating).rejects.toMatchObject({code: 'FILE_WRITE'});
});

test('A link that leads nowhere is called one', async () => {
	const link = join(place(), 'link');
	symlinkSync(join(link, 'nothing'), link);
	await expect(Output.create(link, {kind: 'file'})).rejects.toMatchObject({
		code: 'FILE_WRITE',
		message: `${link}: expected a file or nothing, got a link that leads nowhere`,
	});
});

test('A place that cannot be written is refused with the reason', async () => {
	const creating = Output.create('/proc/inbatch-test', {kind: 'file'});
	await expect(creating).rejects.toMatchObject({
		code: 'FILE_WRITE',
		message: expect.stringMatching(
			/^\/proc\/inbatch-test: expected a place to write to, got E[A-Z]+, /,
		),
	});
});

test('The same output twice is locked, in this process and by another', async () => {
	const home = place();
	const path = join(home, 'out');
	const locked = {code: 'OUTPUT_LOCKED'};
	const first = await Output.create(path, {kind: 'file'});
	await expect(Output.create(path, {kind: 'file'})).rejects.toMatchObject(locked);
	await first.discard();

	const other = await startOther(path, "await Output.create(target, {kind: 'file'})");
	await expect(Output.create(path, {kind: 'file'})).rejects.toMatchObject({
		...locked,
		message: `${path}: expected a free output, got process ${other.pid} writing it`,
	});
});

test('A killed process neither blocks nor leaves anything for good', async () => {
	const home = place();
	const path = join(home, 'out');
	const making =
		"const o = await Output.create(target, {kind: 'folder'}); writeFileSync(o.temporary + '/a', '')";
	await kill(await startOther(path, making));
	expect(entries(home)).toHaveLength(2);
	const output = await Output.create(path, {kind: 'folder'});
	await output.commit();
	expect(entries(home)).toEqual(['out']);
});

test('A process of the same id that began at another time does not block', async () => {
	const home = place();
	writeFileSync(join(home, '.out.lock'), `${process.pid} 1`);
	const output = await Output.create(join(home, 'out'), {kind: 'file'});
	await output.discard();
	expect(entries(home)).toEqual([]);
});

test('A lock without sense is a dead one', async () => {
	const home = place();
	writeFileSync(join(home, '.out.lock'), 'what?');
	const output = await Output.create(join(home, 'out'), {kind: 'file'});
	await output.discard();
	expect(entries(home)).toEqual([]);
});

test('An old output moved aside by a killed process is put back', async () => {
	const home = place();
	mkdirSync(join(home, '.out.999999.0.old'));
	writeFileSync(join(home, '.out.999999.0.old', 'a'), 'old');
	mkdirSync(join(home, '.out.999999.1.tmp'));
	const creating = Output.create(join(home, 'out'), {kind: 'folder'});
	await expect(creating).rejects.toMatchObject({code: 'OUTPUT_EXISTS'});
	expect([entries(home), entries(join(home, 'out'))]).toEqual([['out'], ['a']]);
});

test('The end of the process discards what is open', () => {
	const home = place();
	const body = `
		const output = await Output.create(target, {kind: 'folder'});
		writeFileSync(output.temporary + '/a', 'data');
		process.exit(3);`;
	const {status} = spawnSync('node', otherProcess(join(home, 'out'), body));
	expect([status, entries(home)]).toEqual([3, []]);
});

test('Many outputs at once cause no warning', () => {
	const home = place();
	const body = `
		for (let n = 0; n < 30; n++) await Output.create(target + n, {kind: 'folder'});`;
	const {status, stderr} = spawnSync('node', otherProcess(join(home, 'out'), body), {
		encoding: 'utf8',
	});
	expect([status, stderr, entries(home)]).toEqual([0, '', []]);
});

test('A small file is replaced at once', async () => {
	const home = place();
	const path = join(home, 'state.json');
	await writeFileAtomic(path, 'one');
	await writeFileAtomic(path, Buffer.from('two'));
	expect([entries(home), readFileSync(path, 'utf8')]).toEqual([['state.json'], 'two']);
	const nowhere = writeFileAtomic(join(home, 'no/such'), 'x');
	await expect(nowhere).rejects.toMatchObject({code: 'FILE_WRITE'});
});
