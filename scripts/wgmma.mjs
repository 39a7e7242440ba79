// Writes native/cuda/wgmma.cuh: node scripts/wgmma.mjs > native/cuda/wgmma.cuh
const widths = [8, 32, 64, 80, 96, 128, 192, 256];
// Attention alone has A in registers, of heads of up to 128.
const inRegisters = widths.filter(columns => columns <= 128);

const list = (count, text) => Array.from({length: count}, (_, i) => text(i));
const lines = (items, perLine) =>
	list(Math.ceil(items.length / perLine), i => items.slice(i * perLine, (i + 1) * perLine));

function overload(columns, aInRegisters) {
	const count = columns / 2;
	const next = count + (aInRegisters ? 4 : 1);
	const registers = lines(
		list(count, i => `%${i}`),
		8,
	)
		.map((line, i) => `      "${i ? ', ' : ''}${line.join(', ')}"`)
		.join('\n');
	const results = lines(
		list(count, i => `"+f"(d[${i}])`),
		4,
	)
		.map(line => `        ${line.join(', ')}`)
		.join(',\n')
		.trimStart();
	const left = aInRegisters ? `{${list(4, i => `%${count + i}`).join(', ')}}` : `%${count}`;
	const inputs = aInRegisters ? list(4, i => `"r"(a[${i}])`).join(', ') : '"l"(a)';
	const choice = aInRegisters ? '' : ', bool a_transposed = false';
	return `template <int columns, bool b_transposed = false${choice}>
DEVICE void wgmma(float (&d)[${count}], ${aInRegisters ? 'const uint32_t (&a)[4]' : 'uint64_t a'}, uint64_t b,
                  bool accumulate) {
  static_assert(columns == ${columns});
  HOPPER(asm volatile(
      "{\\n.reg .pred accumulate;\\nsetp.ne.b32 accumulate, %${next + 1}, 0;\\n"
      "wgmma.mma_async.sync.aligned.m64n${columns}k16.f32.bf16.bf16 {"
${registers}
      "}, ${left}, %${next}, accumulate, 1, 1, ${aInRegisters ? '' : `%${next + 3}, `}%${next + 2};\\n}"
      : ${results}
      : ${inputs}, "l"(b), "r"(int(accumulate)),
        "n"(int(b_transposed))${aInRegisters ? '' : ', "n"(int(a_transposed))'}
      : "memory"));
}`;
}

console.log(`// wgmma.mma_async.m64nNk16, bf16 into f32, one overload per N: d = a b, or d += a b. Written by
// scripts/wgmma.mjs; only the lists of registers differ. A is a descriptor or four registers, B a
// descriptor; B transposed means that N is contiguous, A transposed that M is.
#pragma once

${widths
	.flatMap(columns => [
		overload(columns, false),
		...(inRegisters.includes(columns) ? [overload(columns, true)] : []),
	])
	.join('\n\n')}`);
