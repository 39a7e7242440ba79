// Texts of any number in batches for one call of `encode` each: enough to keep the device busy, few
// enough for flat memory.

const mostTexts = 4096;
const mostCharacters = 2 ** 22;

export async function* textBatches<T extends {text: string}>(
	items: Iterable<T> | AsyncIterable<T>,
	batchTexts = mostTexts,
): AsyncGenerator<T[], void, undefined> {
	let batch: T[] = [];
	let characters = 0;
	for await (const item of items) {
		batch.push(item);
		characters += item.text.length;
		if (batch.length < batchTexts && characters < mostCharacters) continue;
		yield batch;
		batch = [];
		characters = 0;
	}
	if (batch.length > 0) yield batch;
}
