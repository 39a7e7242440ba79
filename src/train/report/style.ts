// How a report looks: one column of cards on a phone, several on a desk, in light and in the dark.

export const style = `
:root {
	color-scheme: light dark; --ink: #1d2430; --soft: #5c6675; --line: #dde1e7;
	--ground: #f6f7f9; --card: #fff;
}
@media(prefers-color-scheme:dark) {
	:root {
		--ink: #e6e9ee; --soft: #9aa4b2; --line: #333b47; --ground: #14181e;
		--card: #1c222a;
	}
}
* { box-sizing: border-box }
body {
	margin: 0; background: var(--ground); color: var(--ink);
	font: 15px/1.5 system-ui,sans-serif;
}
main { max-width: 1240px; margin: 0 auto; padding: 24px 16px 64px }
h1 { font-size: 24px; margin: 0 0 4px }
h2 { font-size: 18px; margin: 40px 0 12px }
h3 { font-size: 15px; margin: 0 }
p { margin: 4px 0 }
.soft, .about, figcaption p, summary, dt { color: var(--soft) }
.about, figcaption p { font-size: 13px }
h2+.soft { margin-bottom: 12px }
h1, p, dd, h3, .facts td { overflow-wrap: anywhere }
.grid, .sets {
	display: grid;
	grid-template-columns: repeat(auto-fill,minmax(min(100%,360px),1fr)); gap: 16px;
	align-items: start;
}
figure, .set, .pairs li, .tiles div, .card {
	background: var(--card); border: 1px solid var(--line); border-radius: 8px;
	padding: 14px; margin: 0;
}
figure { min-width: 0 }
svg { display: block; width: 100%; height: auto; margin-top: 8px; touch-action: pan-y }
svg text { fill: var(--soft); font-size: 13px; text-anchor: middle }
svg text.end { text-anchor: end }
@media(max-width:480px) {
	svg text { font-size: 16px }
}
.axes line { stroke: var(--line) }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round }
polygon { opacity: .18 }
.cursor { stroke: var(--soft); stroke-dasharray: 3 3 }
.legend {
	list-style: none; display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 8px 0 0;
	padding: 0; font-size: 13px; color: var(--soft);
}
.legend i {
	display: inline-block; width: 10px; height: 10px; border-radius: 2px;
	margin-right: 5px;
}
.legend b, td, .tiles dd, dt b { font-variant-numeric: tabular-nums }
td { white-space: nowrap }
.facts td { white-space: normal }
th { overflow-wrap: anywhere }
.legend b { color: var(--ink); font-weight: 600 }
.tiles {
	display: grid; grid-template-columns: repeat(auto-fill,minmax(140px,1fr));
	gap: 12px; margin: 20px 0 0;
}
.tiles dt { font-size: 13px }
.tiles dd { margin: 0; font-size: 20px; font-weight: 600 }
table { border-collapse: collapse; width: 100%; margin-top: 8px; font-size: 14px }
th, td {
	text-align: right; padding: 4px 6px; border-bottom: 1px solid var(--line);
	font-weight: 400;
}
th:first-child { text-align: left }
thead th { color: var(--soft); font-size: 13px }
@media(max-width:480px) {
	.set table { font-size: 13px }
	.set :is(th,td) { padding: 4px 3px }
}
.facts th { width: 34%; vertical-align: top; color: var(--soft) }
.facts td { text-align: left }
details { margin-top: 10px }
summary { cursor: pointer; font-size: 14px }
.pairs {
	list-style: none; display: grid;
	grid-template-columns: repeat(auto-fill,minmax(min(100%,420px),1fr)); gap: 12px;
	margin: 0; padding: 0;
}
.pairs .query { font-weight: 600; margin: 0 0 8px }
.pairs dl { margin: 0 }
.pairs dt { font-size: 13px }
.pairs dt b { color: var(--ink) }
.pairs dd { margin: 0 0 8px; max-height: 9em; overflow: auto }
`;
