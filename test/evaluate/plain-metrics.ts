// The oracle of the retrieval metrics: each definition as it is written, for one order of the documents,
// and the mean over every order that ties allow.

export type Scored = readonly [id: string, score: number];

export function plainMetrics(
	ordered: readonly string[],
	grades: ReadonlyMap<string, number>,
	k: number,
): Record<string, number> {
	const gains = ordered.map(id => Math.max(0, grades.get(id) ?? 0));
	const ideal = [...grades.values()].filter(grade => grade > 0).sort((a, b) => b - a);
	const dcg = (values: readonly number[]) =>
		values.slice(0, k).reduce((sum, gain, place) => sum + gain / Math.log2(place + 2), 0);
	const found = (depth: number) => gains.slice(0, depth).filter(gain => gain > 0).length;
	const precisions = (depth: number) =>
		gains
			.slice(0, depth)
			.reduce((sum, gain, place) => sum + (gain > 0 ? found(place + 1) / (place + 1) : 0), 0);
	const first = gains.findIndex(gain => gain > 0) + 1;
	const reciprocal = first > 0 ? 1 / first : 0;
	return {
		[`ndcg@${k}`]: dcg(gains) / dcg(ideal),
		[`mrr@${k}`]: first <= k ? reciprocal : 0,
		[`recall@${k}`]: found(k) / ideal.length,
		[`precision@${k}`]: found(k) / k,
		[`map@${k}`]: precisions(k) / ideal.length,
		[`hit@${k}`]: found(k) > 0 ? 1 : 0,
		[`capped_map@${k}`]: precisions(k) / Math.min(k, ideal.length),
		map: precisions(gains.length) / ideal.length,
		mrr: reciprocal,
	};
}

/** The mean of the plain metrics over all orders of the documents of equal score. */
export function meanOverTies(
	ranking: readonly Scored[],
	grades: ReadonlyMap<string, number>,
	k: number,
): Record<string, number> {
	const orders = permutations(ranking).filter(order =>
		order.every(([, score], place) => place === 0 || order[place - 1]![1] >= score),
	);
	const mean: Record<string, number> = {};
	for (const order of orders) {
		const metrics = plainMetrics(
			order.map(([id]) => id),
			grades,
			k,
		);
		for (const [name, value] of Object.entries(metrics)) {
			mean[name] = (mean[name] ?? 0) + value / orders.length;
		}
	}

	return mean;
}

function permutations<T>(items: readonly T[]): T[][] {
	if (items.length === 0) return [[]];
	return items.flatMap((item, place) =>
		permutations(items.toSpliced(place, 1)).map(rest => [item, ...rest]),
	);
}
