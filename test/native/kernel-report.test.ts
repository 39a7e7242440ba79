// What the report of kernels reads from ptxas.

import {expect, test} from 'vitest';
import {parsed, waitingIn} from '../../scripts/kernel-report.mjs';

const said = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z3addPf' for 'sm_80'
ptxas info    : Function properties for _Z3addPf
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 128 bytes smem, 384 bytes cmem[0]
ptxas info    : Compiling entry function '_Z3addPf' for 'sm_90a'
ptxas info    : Function properties for _Z3addPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 38 registers, 384 bytes cmem[0]
`;

test('reads registers, stack, spills and shared memory of each architecture', () => {
	expect(parsed(said)).toEqual([
		{kernel: 'add', architecture: 'sm_80', registers: 40, stack: 16, spills: 20, shared: 128},
		{kernel: 'add', architecture: 'sm_90a', registers: 38, stack: 0, spills: 0, shared: 0},
	]);
});

test('finds kernels whose products wait for one another', () => {
	const warning =
		"ptxas info    : (C7520) Potential Performance Loss: wgmma.mma_async instructions are serialized due to program dependence on compiler-inserted WG.AR in divergent path in the function '_Z3addPf'\n";
	expect(waitingIn(said)).toEqual([]);
	expect(waitingIn(said + warning)).toEqual([
		{kernel: 'add', why: 'program dependence on compiler-inserted WG.AR in divergent path'},
	]);
});
