// Which publishers count on this host (docs/formats/publishers.md): the operator's own file, and where it has no entry for a name,
// the map of the registry that the host trusts. Refuses to let the registry's map widen what the operator said of a name.
import { type Publishers, parsePublishers } from "#signing/publishers.ts";
import type { Host } from "./host.ts";
import { readIfThere } from "./state-file.ts";
import { publishersOfSet } from "./trust-state/documents.ts";
import { readCurrentSet } from "./trust-state/state.ts";

/** The operator's own publishers; none where the file does not exist. PUBLISHERS_MALFORMED where it is anything else. */
export function readPublishers(host: Host): Publishers {
	const bytes = readIfThere(host.layout.publishers);
	return bytes === undefined ? { publishers: [] } : parsePublishers(bytes);
}

/**
 * All entries that count, in the order in which they decide: `publisherFor` on them follows the rule of this file.
 * The loader reads the same two files. PUBLISHERS_MALFORMED, HOST_TRUST_DAMAGED.
 */
export function publishersInForce(host: Host, own: Publishers = readPublishers(host)): Publishers {
	const set = readCurrentSet(host);
	const registry = set === undefined ? undefined : publishersOfSet(set);
	return { publishers: [...own.publishers, ...(registry?.publishers ?? [])] };
}
