// Work on many things at once whose results are wanted one after the other. Refuses to have more than `width` under way.

/**
 * Runs `work` on every item, at most `width` at a time, and hands the results to `take` in the items' order.
 * The first failure ends it; what is still under way then is waited for, since it would outlive its caller otherwise.
 */
export async function inOrder<T, R>(
	items: Iterable<T>,
	width: number,
	work: (item: T) => Promise<R>,
	take: (result: R) => Promise<void> | void,
): Promise<void> {
	const pending: Promise<R>[] = [];
	const takeFirst = async () => {
		const result = await pending.shift();
		await take(result as R);
	};
	try {
		for (const item of items) {
			if (pending.length === width) await takeFirst();
			const promise = work(item);
			// It is awaited in its turn; until then, a failure must not count as one that nobody looks at.
			promise.catch(() => {});
			pending.push(promise);
		}
		while (pending.length > 0) await takeFirst();
	} finally {
		await Promise.allSettled(pending);
	}
}
