// PyTorch as a process that is asked line by line (peers.py): what it makes, it then runs by number.

import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';

const none = {names: [], errors: []};

/** Without a Python that has PyTorch all rows stand alone, and `reason` says so. */
export async function openPeers({python, trial}, folder) {
	const script = fileURLToPath(new URL('./peers.py', import.meta.url));
	const child = spawn(python, [script, folder, trial ? 'cpu' : 'cuda'], {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	child.on('error', () => {});
	child.stdin.on('error', () => {});
	const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
	let hasEnded = false;
	const next = async () => {
		const {value, done} = await lines.next();
		hasEnded ||= done;
		return done ? undefined : JSON.parse(value);
	};
	const ask = async request => {
		if (hasEnded) return undefined;
		child.stdin.write(`${JSON.stringify(request)}\n`);
		return next();
	};
	const about = await next();
	if (!about) {
		const reason = `expected ${python} to have PyTorch and a card; its words stand on stderr`;
		return {reason, ceilings: {}, make: async () => none, close() {}};
	}
	return {
		...about,
		make: async peer => (peer && (await ask({make: peer}))) ?? none,
		run: async (number, repeat) => {
			const seconds = await ask({run: number, repeat});
			if (seconds === undefined) throw new Error('the peer ended');
			return seconds;
		},
		close: () => child.stdin.end(),
	};
}
