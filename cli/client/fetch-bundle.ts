// From what the user typed to the bytes of a bundle: a file, or a version that a registry lists. Digests are checked
// here; signatures by the host, on the bytes that it stores.

import { openBundle } from "#bundle/bundle.ts";
import type { OfferedPermits } from "#host/permit.ts";
import type { IndexVersion } from "#registry/api/wire.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { offeredVersion } from "./channel.ts";
import { parseRequest, selectVersion } from "./select.ts";
import type { Source } from "./source.ts";
import { PERMIT_FORM } from "./statements-document.ts";
import { openTrustedSource } from "./trusted-source.ts";

export interface FetchedBundle {
	readonly archive: Uint8Array;
	/** Where it came from, for the reason recorded in the generation. */
	readonly from: string;
	/** It came through verified metadata, and so raises the floor of its name (host/trust-state/floors.ts). */
	readonly raisesFloor: boolean;
	/** What may let the host go to a lower version; where one version was named, those that the registry lists for it. */
	readonly permits: OfferedPermits;
}

/** A request is a file when it looks like one: a .kfn suffix or a slash, which no bundle name has. */
export function isFileRequest(request: string): boolean {
	return request.endsWith(".kfn") || request.includes("/");
}

export async function fetchBundle(
	context: Context,
	request: string,
	registry: string | undefined,
): Promise<FetchedBundle> {
	if (isFileRequest(request))
		return { archive: await readInput(request), from: request, raisesFloor: false, permits: {} };
	// A typing error is told before anybody is asked anything.
	parseRequest(request);
	return fetchVersion(context, await openTrustedSource(context, registry), request);
}

export async function fetchVersion(
	context: Context,
	source: Source,
	request: string,
): Promise<FetchedBundle> {
	const { name, range } = parseRequest(request);
	context.onStep({ step: "reading index", detail: name });
	const index = await source.index(name);
	const version =
		range === undefined ? await offeredVersion(context, source, index) : selectVersion(index, range);
	context.onStep({ step: "downloading", detail: `${name} ${version.version}` });
	const archive = await source.blob(version.sha256, version.size);
	await demandIndexed(archive, name, version);
	// Only who names a version wants that one, lower or not; a range means "newer".
	const permits = range === version.version ? { listed: await source.statements(name, PERMIT_FORM) } : {};
	return { archive, from: source.description, raisesFloor: true, permits };
}

/** A lying index would otherwise choose the bundle: an old version, or another name that is trusted too. */
async function demandIndexed(archive: Uint8Array, name: string, indexed: IndexVersion): Promise<void> {
	const { manifest, manifestDigest } = await openBundle(archive);
	const same = manifest.name === name && manifest.version === indexed.version;
	if (same && manifest.tag.value === indexed.tag && manifestDigest === indexed.manifestSha256) return;
	throw new CliError("CLI_DOWNLOAD_DIGEST", "the registry sent another bundle than its index names", {
		hint: "nothing was installed; the registry, or something in between, is broken or lying",
		details: { asked: `${name} ${indexed.version}`, got: `${manifest.name} ${manifest.version}` },
	});
}
