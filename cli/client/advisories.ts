// Brings what this host remembers of advisories up to date from a registry. Refuses to forget anything, and to fail because another
// command holds the host: what was read counts for this command all the same.

import { type Known, learned, readKnown, remember } from "#host/advisories/known.ts";
import { advisoryNames } from "#host/advisories/names.ts";
import { codeOf } from "#host/errors.ts";
import type { Host } from "#host/host.ts";
import { withLock } from "#host/lock.ts";
import { advisoryOfValue, unverifiedAdvisory } from "#signing/advisory.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import type { Source } from "./source.ts";
import type { StatementForm } from "./statements-document.ts";

/**
 * Whose signatures count is judged by the host's memory, not here: it knows documents whose keys were replaced since, and says of
 * every other that is listed why it is not believed.
 */
export const ADVISORY_FORM: StatementForm = {
	kind: "advisory",
	ofValue: advisoryOfValue,
	open: async (envelope) => unverifiedAdvisory(envelope),
};

/** What the host knows after it asked `source` for the lists of these names; of the other names what it knew before. */
export async function learnAdvisories(
	host: Host,
	source: Source,
	names: readonly string[] = advisoryNames(host),
): Promise<Known> {
	const lists = new Map(readKnown(host).map((list) => [list.name, list]));
	const news: { name: string; listed: readonly DsseEnvelope[] }[] = [];
	for (const name of names) {
		const listed = await source.statements(name, ADVISORY_FORM);
		const { list, changed } = await learned(host, name, listed);
		lists.set(name, list);
		if (changed) news.push({ name, listed });
	}
	if (news.length > 0) await keep(host, news);
	return [...lists.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** As {@link learnAdvisories}, or what the host knew before where no registry can be asked: to say what is open is never worth a failure. */
export async function knownAdvisories(
	host: Host,
	open: () => Promise<Source>,
	names: readonly string[],
): Promise<Known> {
	try {
		return await learnAdvisories(host, await open(), names);
	} catch (error) {
		if (codeOf(error) === "HOST_STATE_MALFORMED") throw error;
		return readKnown(host);
	}
}

/** Learns again under the lock: another command may have remembered more meanwhile. */
async function keep(
	host: Host,
	news: readonly { name: string; listed: readonly DsseEnvelope[] }[],
): Promise<void> {
	try {
		await withLock(host, "advisories", async (lock) => {
			for (const { name, listed } of news) {
				const { list, changed } = await learned(host, name, listed);
				if (changed) remember(lock, list);
			}
		});
	} catch (error) {
		if (codeOf(error) !== "HOST_LOCKED") throw error;
	}
}
