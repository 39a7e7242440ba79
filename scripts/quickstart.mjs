// npm run quickstart: installs, builds, and fine-tunes the embedded model on the embedded sample.
// Arguments go to `inbatch quickstart`.

import {ensureBuilt, runToEnd, start} from './build.mjs';

await start(import.meta.url, async args => {
	ensureBuilt();
	return await runToEnd(['dist/cli/main.js', 'quickstart', ...args]);
});
