// node benchmarks/plots.mjs FILE FOLDER: draws the tables that `--record FILE` kept, one SVG a title, as bars
// with the first candidate (ours) filled and its peers outlined. The newest of two tables of one title counts.

import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

const [, , file, folder] = process.argv;
const lines = readFileSync(file, 'utf8').trim().split('\n');
const tables = new Map(lines.map(line => JSON.parse(line)).map(table => [keyOf(table), table]));
mkdirSync(folder, {recursive: true});
for (const [title, table] of tables) {
	const name = title
		.toLowerCase()
		.replace(/\(.*?\)/g, '')
		.replace(/[^a-z0-9]+/g, '-')
		.replace(/^-|-$/g, '');
	writeFileSync(join(folder, `${name}.svg`), drawn(table));
	console.log(join(folder, `${name}.svg`));
}

function keyOf({title, kernels, threads}) {
	return `${title}, ${kernels}${threads === 1 ? ', one thread' : ''}`;
}

function drawn({title, unit, cpu, kernels, threads, peak, date, candidates}) {
	const [left, width, step] = [190, 330, 30];
	const most = Math.max(...candidates.map(({rate}) => rate));
	const bars = candidates.map(({name, rate, share}, n) => {
		const y = 52 + n * step;
		const long = ((width * rate) / most).toFixed(1);
		const told = `${rate.toPrecision(3)} ${unit}/s${share ? `, ${(100 * share).toFixed(0)} %` : ''}`;
		const look = n === 0 ? 'fill="#1f6feb"' : 'fill="#d0d7de"';
		return `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${escaped(name)}</text>
<rect x="${left}" y="${y}" width="${long}" height="20" ${look}/>
<text x="${left + Number(long) + 6}" y="${y + 14}">${told}</text>`;
	});
	const below = `${cpu}, ${kernels}, ${threads} threads, FMA peak ${peak.toFixed(0)} GFLOP/s, ${date}`;
	const height = 52 + candidates.length * step + 26;
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 ${height}" width="700" height="${height}" font-family="sans-serif" font-size="13" fill="#24292f">
<rect width="700" height="${height}" fill="#ffffff"/>
<text x="16" y="26" font-size="15" font-weight="bold">${escaped(title)}</text>
${bars.join('\n')}
<text x="16" y="${height - 10}" font-size="11" fill="#57606a">${escaped(below)}</text>
</svg>
`;
}

function escaped(text) {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
