// How fast rotary positions turn (Su et al. 2021), plain and stretched for longer texts, read from the
// shapes of configuration that transformers has written over time.

import type {FamilyConfig} from './config.js';

/** Turns pairs of a head's columns, j and j + pairs, by an angle that grows with the place in the text. */
export type RotarySpec = {
	/** Radians per place, one a pair. */
	frequencies: readonly number[];
	/** Of what was turned: 1 but for scalings that stretch it. */
	magnitude: number;
};

export type RotaryOptions = {
	headWidth: number;
	/** The part of a head that turns. */
	fraction?: number;
	/** Where the configuration names none. */
	base: number;
	/** The longest text. */
	longest: number;
	/** Where layers differ, the type of these. */
	layer?: 'full_attention' | 'sliding_attention';
	/** Whether the `rope_scaling` of older files is meant for these layers. */
	isScaled?: boolean;
	/** The kinds of scaling that the family has. */
	kinds?: readonly ScalingKind[];
};

/** What a scaling starts from: columns that turn, their base, its own settings. */
type Scaled = {columns: number; base: number; longest: number; settings: FamilyConfig};

const scalings = {
	default: plain,
	linear: stretched,
	/** Changes nothing up to the longest text, and there are no longer ones. */
	dynamic: plain,
	llama3: stretchedWhereSlow,
	yarn: blended,
	ntk: rebased,
} satisfies Record<string, (scaled: Scaled) => readonly number[]>;

type ScalingKind = keyof typeof scalings;

/** More columns than any head has. */
const widestHead = 2 ** 16;

const usualKinds = ['default', 'linear', 'dynamic', 'llama3', 'yarn'] as const;

/** The rotary part that a configuration describes. */
export function rotary(config: FamilyConfig, options: RotaryOptions): RotarySpec {
	const {headWidth, fraction = 1, longest, kinds = usualKinds} = options;
	const columns = Math.floor(headWidth * fraction);
	if (columns > widestHead) {
		config.refuse('hidden_size', `a width whose heads have at most ${widestHead} columns`);
	}
	const settings = settingsOf(config, options);
	const choices = Object.fromEntries(kinds.map(kind => [kind, kind]));
	const kind = settings?.choice(['rope_type', 'type'], choices, 'default') ?? 'default';
	const base = settings?.number('rope_theta', options.base) ?? options.base;
	const original = config.size('original_max_position_embeddings', {otherwise: longest, least: 0});
	const scaled = {columns, base, longest: original, settings: settings ?? config};
	const frequencies = scalings[kind](scaled);
	if (!frequencies.every(frequency => frequency > 0 && frequency < Infinity)) {
		scaled.settings.refuse('rope_theta', 'a base of finite frequencies');
	}
	return {frequencies, magnitude: kind === 'yarn' ? magnitudeOf(scaled.settings) : 1};
}

/** `rope_scaling` of files up to transformers 4, `rope_parameters` since. */
function settingsOf(
	config: FamilyConfig,
	{layer, isScaled = true}: RotaryOptions,
): FamilyConfig | undefined {
	const old = isScaled ? config.group('rope_scaling') : undefined;
	const named = config.group('rope_parameters');
	const wrong = layer ? ['rope_type', 'rope_theta'] : ['full_attention', 'sliding_attention'];
	for (const key of wrong) named?.only(key);
	const settings = layer ? (named?.group(layer) ?? old) : (old ?? named);
	for (const group of [config, settings]) group?.only('partial_rotary_factor', 1);
	return settings;
}

function plain({columns, base}: Pick<Scaled, 'columns' | 'base'>): number[] {
	const pairs = Math.ceil(columns / 2);
	return Array.from({length: pairs}, (_, pair) => 1 / base ** ((2 * pair) / columns));
}

function stretched({settings, ...scaled}: Scaled): number[] {
	const factor = settings.number('factor', undefined, 1);
	return plain(scaled).map(frequency => frequency / factor);
}

/** A larger base, so that the slow pairs are stretched most (Su 2023, "NTK-RoPE", fixed). */
function rebased({columns, base, settings}: Scaled): number[] {
	settings.only('mixed_b');
	const factor = settings.number('factor', undefined, 1);
	return plain({columns, base: base * factor}).map(f => f / factor ** (2 / columns));
}

/** Llama 3.1: slow pairs are stretched, fast ones are not, those between in part. */
function stretchedWhereSlow({settings, longest, ...scaled}: Scaled): number[] {
	const factor = settings.number('factor', undefined, 1);
	const low = settings.number('low_freq_factor');
	const high = settings.number('high_freq_factor');
	if (high <= low) settings.refuse('high_freq_factor', 'above low_freq_factor');
	const length = settings.size('original_max_position_embeddings', {otherwise: longest});
	return plain(scaled).map(frequency => {
		const turns = (length * frequency) / (2 * Math.PI);
		const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
		return (frequency * (1 - kept)) / factor + frequency * kept;
	});
}

/** YaRN (Peng et al. 2023): stretched where a pair turns seldom, kept where it turns often. */
function blended({settings, columns, base, longest}: Scaled): number[] {
	const factor = settings.number('factor', undefined, 1);
	const length = settings.size('original_max_position_embeddings', {otherwise: longest});
	const isWhole = settings.flag('truncate', true);
	const placeOf = (turns: number) =>
		(columns * Math.log(length / (2 * Math.PI * turns))) / (2 * Math.log(base));
	const [fast, slow] = [
		placeOf(settings.number('beta_fast', 32) || 32),
		placeOf(settings.number('beta_slow', 1) || 1),
	];
	const first = Math.max(isWhole ? Math.floor(fast) : fast, 0);
	const last = Math.min(isWhole ? Math.ceil(slow) : slow, columns - 1);
	const reach = last === first ? 0.001 : last - first;
	return plain({columns, base}).map((frequency, pair) => {
		const share = Math.min(1, Math.max(0, (pair - first) / reach));
		return (frequency * share) / factor + frequency * (1 - share);
	});
}

/** YaRN's "temperature", which stretches queries and keys. */
function magnitudeOf(settings: FamilyConfig): number {
	const factor = settings.number('factor', undefined, 1);
	const grown = (scale: number) => 0.1 * scale * Math.log(factor) + 1;
	const [part, all] = [settings.number('mscale', 0), settings.number('mscale_all_dim', 0)];
	return settings.number('attention_factor', part && all ? grown(part) / grown(all) : grown(1));
}
