// The page of a report: its frame and the few lines of script that show values under the pointer.
// It holds everything it needs and asks no network for anything.

import {html, Markup} from './html.js';
import {style} from './style.js';

const script = `
for (const svg of document.querySelectorAll('svg[data-lines]')) {
  const lines = JSON.parse(svg.dataset.lines);
  const cursor = svg.querySelector('.cursor');
  const values = [...svg.parentElement.querySelectorAll('.legend b')];
  const last = values.map(value => value.textContent);
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const nearer = (a, b) => Math.abs(b[1] - at) < Math.abs(a[1] - at) ? b : a;
    const near = lines.map(({points}) => points.reduce(nearer));
    const first = near.reduce(nearer);
    cursor.setAttribute('x1', first[1]);
    cursor.setAttribute('x2', first[1]);
    near.forEach((point, n) => { values[n].textContent = point[2] + ' at step ' + point[0]; });
  });
  svg.addEventListener('pointerleave', () => {
    cursor.setAttribute('x1', -9);
    cursor.setAttribute('x2', -9);
    last.forEach((text, n) => { values[n].textContent = text; });
  });
}
`;

export type Part = {title: string; note?: string; body: Markup | undefined};

/** The whole document; parts without a body are left out. */
export function page(title: string, head: Markup, parts: readonly Part[]): string {
	const shown = parts.flatMap(({title: name, note, body}) =>
		body
			? html`<h2>${name}</h2>${note !== undefined && html`<p class="soft">${note}</p>`}${body}`
			: [],
	);
	return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${head}${shown}
</main>
<script>${new Markup(script)}</script>
</body>
</html>
`.text;
}
