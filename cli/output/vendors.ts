// A map of vendors for people and programs: a registry's and a host's own are shown alike.
import { formatPublicKey } from "#signing/public-key.ts";
import { hardwareOf, type Vendors } from "#signing/vendors.ts";
import { columns } from "./columns.ts";

export function vendorsDocument({ vendors }: Vendors): readonly object[] {
	return vendors.map((entry) => ({ ...entry, keys: entry.keys.map(formatPublicKey) }));
}

/** `none`: what a map without entries means where it stands. */
export function vendorsText({ vendors }: Vendors, none: string): string {
	if (vendors.length === 0) return none;
	const rows = vendors.flatMap((entry) =>
		entry.keys.map((key) => [
			hardwareOf(entry).join(" "),
			entry.issuer,
			`${entry.threshold} of ${entry.keys.length}`,
			key.keyid,
			key.comment,
		]),
	);
	return columns([["HARDWARE", "ISSUER", "THRESHOLD", "KEY", "COMMENT"], ...rows]);
}
