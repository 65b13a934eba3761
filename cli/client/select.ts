// Which published version a request means. Refuses yanked versions unless one is named exactly.

import { maxSatisfying, validRange } from "semver";
import type { IndexDocument, IndexVersion } from "#registry/api/wire.ts";
import { CliError } from "../errors.ts";

/** NAME or NAME@RANGE as typed; without a range, which version is meant is for a channel to say (channel.ts). */
export function parseRequest(text: string): { name: string; range: string | undefined } {
	const at = text.indexOf("@", 1);
	const name = at < 0 ? text : text.slice(0, at);
	const range = at < 0 ? undefined : text.slice(at + 1);
	if (range === undefined) return { name, range };
	if (range !== "" && validRange(range) !== null) return { name, range };
	throw new CliError("CLI_USAGE", `"${range}" is not a version range`, {
		hint: "for example 1.0.1, ^1.2, >=1.0 <2",
	});
}

/** NAME@VERSION as typed, both there; whether they are a name and a version is for others to say. CLI_USAGE. */
export function parseExact(text: string): { name: string; version: string } {
	const [name, version, ...rest] = text.split("@");
	if (name && version && rest.length === 0) return { name, version };
	throw new CliError("CLI_USAGE", `"${text}" is not NAME@VERSION`, {
		hint: "for example flow-dissector@1.0.1",
	});
}

/** The newest version in `range` that is not yanked; an exact version is found even when it was yanked. */
export function selectVersion(index: IndexDocument, range: string): IndexVersion {
	const exact = index.versions.find(({ version }) => version === range);
	if (exact !== undefined) return exact;
	const offered = index.versions.filter(({ yanked }) => yanked === null);
	const best = maxSatisfying(
		offered.map(({ version }) => version),
		range,
	);
	const found = offered.find(({ version }) => version === best);
	if (found !== undefined) return found;
	const yanked = index.versions.length - offered.length;
	throw new CliError("CLI_NO_VERSION", `no version of ${index.name} fits ${range}`, {
		hint:
			offered.length > 0
				? `published: ${offered
						.slice(0, 5)
						.map(({ version }) => version)
						.join(", ")}`
				: `${yanked} published, all yanked; an exact version can still be asked for`,
		details: { name: index.name, range, published: offered.map(({ version }) => version), yanked },
	});
}
