// The layouts of records. The first that recognises a record reads it; the last takes what is left.

import type {Names} from '../fields.js';
import {chat} from './chat.js';
import {dpr} from './dpr.js';
import {hits} from './hits.js';
import {instructed} from './instructed.js';
import type {Layout} from './layout.js';
import {named} from './named.js';
import {pointwise} from './pointwise.js';
import {texts} from './texts.js';
import {tuple} from './tuple.js';

const layouts: readonly Layout[] = [
	...[tuple, dpr, hits, chat, instructed, pointwise, texts],
	named,
];

export function layoutOf(value: unknown, names?: Names): Layout {
	return layouts.find(layout => layout.recognises(value, names))!;
}
