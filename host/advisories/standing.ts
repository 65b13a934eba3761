// What a device's offload asks of advisories (design §7). Reads once; refuses to reach a network: a verdict must be given at boot, too.
import type { Host } from "../host.ts";
import { advisoriesFor } from "./judge.ts";
import { readKnown } from "./known.ts";

export interface AdvisoryStanding {
	/** Ids of the advisories that the version, or its source, is affected by, as this host knows it now. */
	advisories(name: string, version: string, tag: string): readonly string[];
}

/** HOST_STATE_MALFORMED where what is remembered is damaged. */
export function openAdvisoryStanding(host: Host): AdvisoryStanding {
	const known = readKnown(host);
	return {
		advisories: (name, version, tag) => advisoriesFor(known, { name, version, tag }).map(({ id }) => id),
	};
}
