import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {readLauncher} from '../../dist/presets/launcher.js';

const folder = mkdtempSync(join(tmpdir(), 'inbatch-launcher-'));
afterAll(() => rmSync(folder, {recursive: true, force: true}));
const config = join(folder, 'accelerate.yaml');
writeFileSync(config, 'compute_environment: LOCAL_MACHINE\nnum_machines: 1\nnum_processes: 2\n');

const read = (line: string) => readLauncher(line.split(' '));

describe('a launcher', () => {
	test.each([
		['torchrun --nproc_per_node 1 -m retrievals.pipelines.embed --do_train', 1],
		['torchrun --nproc_per_node=8 run_dense.py --do_train', 8],
		['torchrun --nproc-per-node=2 --nnodes 3 run_dense.py --do_train', 6],
		['torchrun --nnodes=1:4 --nproc_per_node 2 run_dense.py --do_train', 8],
		['CUDA_VISIBLE_DEVICES=0,1 torchrun --nproc_per_node gpu run.py --do_train', 2],
		['python -m torch.distributed.launch --nproc_per_node 4 run.py --do_train', 4],
		['python3 finetune.py --do_train', 1],
		['nohup python finetune.py --do_train', 1],
		['accelerate launch --num_processes 4 train.py --do_train', 4],
		[`accelerate launch --config_file ${config} train.py --do_train`, 2],
		['deepspeed --num_gpus 4 --num_nodes 2 run.py --do_train', 8],
		['CUDA_VISIBLE_DEVICES=0,1,2 deepspeed run.py --do_train', 3],
		['CUDA_VISIBLE_DEVICES=0,1 accelerate launch train.py --do_train', 2],
		['run.py --do_train', 1],
	])('in %j stands for %i processes and is taken off', (line, processes) => {
		expect(read(line)).toMatchObject({processes, rest: ['--do_train'], says: []});
	});

	test('names the program that is meant', () => {
		expect(read('torchrun -m retrievals.pipelines.embed').program).toBe(
			'retrievals.pipelines.embed',
		);
		expect(read('python a/run.py --x').program).toBe('a/run.py');
	});

	test('is not looked for where an option comes first', () => {
		const words = ['--learning_rate', '1', '-m', 'x.py'];
		expect(readLauncher(words)).toEqual({program: undefined, processes: 1, rest: words, says: []});
	});

	test('is not a script of a shell, whose command is asked for', () => {
		expect(() => read('bash scripts/llm-embedder.sh')).toThrow(
			/got the script scripts\/llm-embedder.sh; put the training command/,
		);
	});

	test('whose file of settings is not there says that devices are counted', () => {
		const {processes, says} = read('accelerate launch --config_file no.yaml train.py');
		expect(processes).toBe(1);
		expect(says).toEqual([expect.stringContaining('no.yaml')]);
	});

	test('without a program is refused', () => {
		expect(() => read('torchrun --nproc_per_node 2')).toThrow(
			/expected a script or -m and a module/,
		);
	});
});
