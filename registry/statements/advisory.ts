// Advisories as statements. Refuses one whose names did not all sign it; what it claims is fixed is nobody's word but its own.
import { openAdvisory, parseAdvisoryFile } from "#signing/advisory.ts";
import type { StatementKind } from "./kind.ts";

/** A withdrawal is a later document; so that no host can be shown a list without it, nothing is ever taken off. */
export const ADVISORY_KIND: StatementKind = {
	most: 256,
	show: "kfn advisory show",
	parse: parseAdvisoryFile,
	async open(envelope, name, { authorities, now }) {
		const { id, modified } = await openAdvisory(envelope, name, authorities.publishers, now);
		return { id, serial: Date.parse(modified) / 1000, expires: null };
	},
};
