// Answers one page of the names that a reader may see, in byte order. Refuses to let others show through, as a cursor for example.
import type { NamesDocument } from "../api/wire.ts";
import type { ReaderScope } from "./authorize.ts";
import type { RegistryContext } from "./registry-context.ts";

const BATCH = 1000;

/**
 * Names greater than `after`, at most `limit`; `next` is null on the last page.
 *
 * Names that the reader may not see appear nowhere, not even as `next`.
 */
export async function listNames(
	registry: RegistryContext,
	scope: ReaderScope,
	page: { after: string; limit: number },
): Promise<NamesDocument> {
	const allowed = await registry.metadata.read(async (reads) => {
		const found: string[] = [];
		for (let after = page.after; found.length <= page.limit; ) {
			const batch = await reads.listNames(after, BATCH);
			found.push(...batch.filter(scope.allows));
			if (batch.length < BATCH) break;
			after = batch.at(-1) ?? after;
		}
		return found;
	});
	const names = allowed.slice(0, page.limit);
	return { schema: "kfn.names/1", names, next: allowed.length > page.limit ? (names.at(-1) ?? null) : null };
}
