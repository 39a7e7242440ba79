// checkData(): everything that can be said of training data before a model sees them, in flat memory.
// Nothing is repaired; what training would refuse is an error here too.

import type {z} from 'zod';
import {mapOf, namesGiven} from '../data/fields.js';
import {sourcesOf} from '../data/sources.js';
import type {HubOptions} from '../hub/settings.js';
import type {Loss} from '../loss/loss.js';
import type {EmbeddingModel} from '../model/embedding-model.js';
import {parseOptions} from '../options.js';
import {expectChoices} from '../train/options/data.js';
import {expectPrompts} from '../train/options/prompts.js';
import {PromptRules} from '../train/prompts.js';
import {assemble} from './assemble.js';
import {Contamination} from './contamination.js';
import {Findings} from './findings.js';
import {type CheckSettings, checkSchema} from './options.js';
import {quickMine} from './quick-mine.js';
import {findRepeats} from './repeated.js';
import type {CheckReport} from './report.js';
import {rowFacts} from './row-facts.js';
import {type Scanned, scanSources} from './scan.js';
import {TokenLengths} from './tokens.js';

export type CheckOptions = Partial<z.input<typeof checkSchema>> & {
	/** The loss that is to be trained: what it needs is asked of every record. */
	loss?: Loss | undefined;
	/** Lengths are counted in its tokens, and false negatives are looked for with it. */
	model?: EmbeddingModel | undefined;
	/** Evaluation sets that the data must not hold: folders of retrieval sets, files of pairs. */
	eval?: string | readonly string[] | undefined;
	/** Where data sets of the hub come from. Default: as its variables say. */
	hub?: HubOptions | undefined;
	signal?: AbortSignal | undefined;
	/** While records are read. */
	onProgress?: ((progress: {records: number}) => void) | undefined;
};

/** Documented where it is public: index.ts. */
export async function checkData(data: unknown, options: CheckOptions = {}): Promise<CheckReport> {
	const {loss, model, eval: evaluations = [], hub, signal, onProgress, ...rest} = options;
	const settings = parseOptions(checkSchema, rest, 'check');
	expectPrompts(settings, 'check');
	expectChoices(settings, {where: 'check'});
	const findings = new Findings(settings.examples);
	const prompts = await PromptRules.open(model ?? {prompts: {}}, settings);
	const {split, map} = settings;
	const sets = [evaluations].flat();
	const contamination = await Contamination.open(sets, findings, {split, hub, signal});
	const names = map && namesGiven(mapOf(map));
	const asked = {settings, names, loss, prompts, findings, contamination, hub, signal, onProgress};
	const scanned = await scanSources(sourcesOf(data), asked);
	try {
		return await examine(scanned, {...asked, model});
	} finally {
		await scanned.dataset.close();
	}
}

interface Asked {
	settings: CheckSettings;
	findings: Findings;
	contamination: Contamination;
	model: EmbeddingModel | undefined;
	loss: Loss | undefined;
	prompts: PromptRules;
	signal: AbortSignal | undefined;
}

/** What is looked for when all records are known. */
async function examine(scanned: Scanned, asked: Asked): Promise<CheckReport> {
	const {settings, findings, contamination, model, prompts, signal} = asked;
	const {checks, dataset, rule} = scanned;
	const rare = checks.labels.single();
	// Where most labels are of a single record they are measures rather than classes.
	if (rare.length * 2 <= checks.records) {
		findings.addAll(
			'rare-label',
			rare.length,
			rare.map(text => ({where: '', text})),
		);
	}

	const repeated = await findRepeats(scanned, {most: settings.examples, findings, signal});
	const rows = await rowFacts(scanned, asked);
	const tokens = model && new TokenLengths({model, prompts}, settings, findings);
	if (tokens) for (const {source} of scanned.parts) await tokens.read(source, rule, signal);
	const mines = model !== undefined && rule.kind === 'pair' && settings.mine > 0;
	const mining = {prompts, settings, findings, signal};
	const mined = mines ? await quickMine(dataset, {model, ...mining}) : null;
	const {sets: evaluation} = contamination;
	return assemble({settings, findings, scanned, repeated, rows, tokens, mined, evaluation});
}
