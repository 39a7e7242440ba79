import {execFile} from 'node:child_process';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {expect, test} from 'vitest';

const run = promisify(execFile);
const index = join(import.meta.dirname, '..', 'dist', 'index.js');
const names = [
	'EmbeddingModel',
	'EngineError',
	'devices',
	'evaluate',
	'evaluateLoss',
	'infoNce',
	'similarity',
	'train',
];
const shown = (api: string) =>
	`console.log(JSON.stringify({names: Object.keys(${api}), loaded: ` +
	"process.report.getReport().sharedObjects.filter(path => path.endsWith('inbatch.node'))}))";

test.each([
	['import', `import(${JSON.stringify(index)}).then(api => ${shown('api')})`],
	['require', shown(`require(${JSON.stringify(index)})`)],
])('%s gives the public names and loads no native code', async (_, code) => {
	const {stdout} = await run(process.execPath, ['--no-warnings', '-e', code]);
	const {names: found, loaded} = JSON.parse(stdout);
	expect(found).toEqual(expect.arrayContaining(names));
	expect(loaded).toEqual([]);
});
