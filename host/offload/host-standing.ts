// What this host itself knows against tags: its revocations and its advisories. Refuses to answer from a damaged memory of either.
import { openAdvisoryStanding } from "../advisories/standing.ts";
import type { Host } from "../host.ts";
import { openRevokedStanding } from "../recall/standing.ts";
import type { Standing } from "./standing.ts";

/** As this host knows it now. HOST_REVOKED_MALFORMED, HOST_STATE_MALFORMED. */
export const standingOf = (host: Host): Standing => ({
	...openRevokedStanding(host),
	...openAdvisoryStanding(host),
});
