// What a documented command becomes.

import type {OurName, OurValue} from './table.js';

/** An option of ours, and where it comes from. */
export type Translated = {
	value: OurValue;
	/** The options of theirs that were given and say it; none for a default. */
	places: readonly string[];
};

export type Translation = {
	options: Map<OurName, Translated>;
	/** Our own options that stood among theirs, as they stood. */
	own: readonly string[];
	/** What the user should know, each a sentence. */
	says: readonly string[];
};
