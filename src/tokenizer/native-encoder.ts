// The path in native code, for tokenizers of which it knows every part; and the choice between both paths,
// which is made once, from the definition.

import {type NativeTokenizer, native} from '../native.js';
import {
	type EncodedTexts,
	Encoder,
	type EncoderFacts,
	type EncodeSettings,
	type TextEncoder,
} from './encoder.js';
import type {TokenizerSource} from './files.js';
import {nativeTokenizer} from './native-definition.js';

/** Parses and checks a tokenizer; throws `TOKENIZER_INVALID` or `TOKENIZER_KIND`. */
export function openEncoder(source: TokenizerSource): TextEncoder {
	const encoder = new Encoder(source);
	const parts = nativeTokenizer(encoder.definition, text => encoder.normalize(text));
	if (parts === undefined) return encoder;
	const {definition, vocabulary, host} = parts;
	const tokenizer = new (native().Tokenizer)(definition, vocabulary, host);
	return new NativeEncoder(tokenizer, encoder.facts);
}

class NativeEncoder implements TextEncoder {
	readonly path = 'native';
	readonly facts: EncoderFacts;
	readonly #tokenizer: NativeTokenizer;

	constructor(tokenizer: NativeTokenizer, facts: EncoderFacts) {
		this.#tokenizer = tokenizer;
		this.facts = facts;
	}

	encode(
		texts: readonly string[],
		{maxLength, truncationSide, addSpecialTokens}: EncodeSettings,
		onText: (text: number) => void = () => undefined,
	): EncodedTexts {
		// No pattern of the file is at work, so that all texts together take no time to speak of.
		onText(0);
		const cutLeft = truncationSide === 'left';
		return this.#tokenizer.encode(texts, {maxLength, cutLeft, addSpecialTokens});
	}
}
