// Writes docs/errors.md from the table of codes in src/errors.ts:
//   npm run docs
// Needs the built package (dist/). test/house.test.ts fails when the page is not this one.

import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {start} from './build.mjs';
import {root} from './freshness.mjs';

/** The page for a table of codes. */
export function errorsPage(codes) {
	const rows = Object.entries(codes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
	return `# Errors

Every function of the library throws or rejects with an \`EngineError\`, except an aborted call, which
rejects with the reason of its signal. \`code\` is one of this table and stays what it is between
versions; \`message\` reads *where: expected what, got what; what to do*; \`cause\` is the error behind
it, if there is one. A command that fails prints one line, \`error CODE: message\`, and exits with 1, or
with 2 when the command line or the configuration is wrong; \`INBATCH_DEBUG=1\` adds the stack.

| code | meaning |
|---|---|
${rows.join('\n')}
`;
}

await start(import.meta.url, async () => {
	const {errorCodes} = await import('../dist/errors.js');
	writeFileSync(join(root, 'docs', 'errors.md'), errorsPage(errorCodes));
	return 0;
});
