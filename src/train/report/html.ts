// HTML from templates in which every value is escaped, so that no text of the data can become markup.

/** HTML that was made by {@link html} and goes into others as it is. */
export class Markup {
	readonly text: string;

	constructor(text: string) {
		this.text = text;
	}
}

type Value = string | number | Markup | readonly Markup[] | undefined | false;

/**
The template with its values as text; markup stays markup, and what is undefined or false is nothing.

@example
html`<p>${'1 < 2'}</p>`.text; // <p>1 &lt; 2</p>
*/
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
	return new Markup(
		strings.map((part, n) => (n === 0 ? part : shown(values[n - 1]) + part)).join(''),
	);
}

function shown(value: Value): string {
	if (value === undefined || value === false) return '';
	if (value instanceof Markup) return value.text;
	if (typeof value === 'object') return value.map(({text}) => text).join('');
	return escaped(String(value));
}

const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
	'\0': '\ufffd',
};

function escaped(text: string): string {
	return text.replaceAll(/[&<>"'\0]/g, character => entities[character]!);
}
