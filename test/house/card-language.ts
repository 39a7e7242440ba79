// Kernels are written in intrinsics that the emulator knows too; what it does not know stands in few
// files.

import type {Sources} from './arrows.js';

const allowed = new Set(['base/bf16.h', 'cuda/ptx.cuh', 'cuda/wgmma.cuh', 'cuda/runtime.cuh']);
const language =
	/\basm\b|<<<|__shared__|#\s*include\s*<(?:cuda|mma|cooperative_groups|cub|thrust|nv\/)/;

/** Where sources of native/base and native/cuda speak to a card by other means: `file:line`. */
export function cardLanguage(sources: Sources): string[] {
	return [...sources]
		.filter(([path]) => /^(base|cuda)\//.test(path) && !allowed.has(path))
		.flatMap(([path, text]) =>
			text
				.split('\n')
				.flatMap((line, at) =>
					language.test(line.replace(/\/\/.*/, '')) ? [`${path}:${at + 1}`] : [],
				),
		);
}
