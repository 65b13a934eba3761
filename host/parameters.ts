// Which parameters of an installed function somebody set: those whose values are not the defaults of its bundle. Refuses to
// guess where the store cannot say what the defaults are.
import type { Config } from "#bundle/config.ts";
import type { Host } from "./host.ts";
import type { PlanFunction } from "./plan.ts";
import { storedManifest } from "./store.ts";

/** The parameters that differ from their defaults; undefined where the stored manifest is missing or damaged. */
export function setParameters(host: Host, entry: PlanFunction): Config | undefined {
	const { sha256, manifestSha256 } = entry.bundle;
	const declared = storedManifest(host, sha256, manifestSha256)?.config;
	if (declared === undefined) return undefined;
	// Values are plain JSON in one spelling: equal values have equal text.
	const isSet = ([name, value]: [string, unknown]) =>
		JSON.stringify(declared[name]?.default) !== JSON.stringify(value);
	return Object.fromEntries(Object.entries(entry.config).filter(isSet));
}
