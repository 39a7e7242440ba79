import {defineConfig} from 'vitest/config';
import {BaseSequencer, type TestSpecification} from 'vitest/node';

/** Begins with small files that take minutes, which at the end would leave a core without work. */
class LongestFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const sorted = await super.sort(files);
		const isLong = ({moduleId}: TestSpecification) =>
			/\/(native\/sanitize|package\/tarball|addon\/life|fuzz\/fuzz)\.test\.ts$/.test(moduleId);
		return [...sorted.filter(isLong), ...sorted.filter(file => !isLong(file))];
	}
}

export default defineConfig({
	test: {
		sequence: {sequencer: LongestFirst},
		include: ['test/**/*.test.ts'],
		pool: 'forks',
		maxWorkers: 2,
		testTimeout: 120_000,
		hookTimeout: 120_000,
	},
});
