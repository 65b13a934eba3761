// Makes versions of the top-level targets metadata: its documents and the delegation to the bins (TUF 1.0.34 §4.5). Refuses
// documents other than those that there are, and bytes that are not those that the metadata names; signs nothing.
import { createHash } from "node:crypto";
import { SigningError } from "../errors.ts";
import type { PublicKey } from "../public-key.ts";
import { parsePublishers } from "../publishers.ts";
import { parseRegistryDocument } from "../registry-document.ts";
import { parseVendors } from "../vendors.ts";
import { bitLengthOf } from "./bins.ts";
import { tufKeyId, tufKeyOf } from "./key.ts";
import { type TargetFile, type TargetsSigned, TUF_SPEC_VERSION } from "./metadata.ts";
import type { Lifetime } from "./next-root.ts";
import { expiryAfter } from "./time.ts";

/** The authorisation map, `kfn.publishers/1`. */
export const PUBLISHERS_TARGET = "kfn/publishers.json";
/** What a client must know of the registry itself, `kfn.registry/1`. */
export const REGISTRY_TARGET = "kfn/registry.json";
/** Who may say what hardware runs, `kfn.vendors/1`; a registry that publishes no catalogues may have none. */
export const VENDORS_TARGET = "kfn/vendors.json";
export const DOCUMENT_TARGETS = [PUBLISHERS_TARGET, REGISTRY_TARGET, VENDORS_TARGET] as const;

/** The exact bytes of what the top-level targets metadata lists. */
export interface Documents {
	readonly [PUBLISHERS_TARGET]: Uint8Array;
	readonly [REGISTRY_TARGET]: Uint8Array;
	readonly [VENDORS_TARGET]?: Uint8Array;
}

export const BIN_PREFIX = "bin";

/** Version 1, with `bins.count` bins (2 to 1024, a power of two) that one key signs: TRUST_MALFORMED for another count. */
export function firstTargets(
	content: {
		readonly documents: Documents;
		readonly bins: { readonly count: number; readonly key: PublicKey };
	},
	lifetime: Lifetime,
): TargetsSigned {
	const { documents, bins } = content;
	return {
		...common(1, lifetime),
		targets: targetFiles(documents),
		delegations: delegationTo(bins.key, bitLengthOf(bins.count)),
	};
}

/** The version after `previous`, with its content. */
export function nextTargets(previous: TargetsSigned, lifetime: Lifetime): TargetsSigned {
	return { ...previous, ...common(previous.version + 1, lifetime) };
}

export function withDocuments(targets: TargetsSigned, documents: Documents): TargetsSigned {
	return { ...targets, targets: targetFiles(documents) };
}

/** `targets` with another key for all bins; their number stays, since it decides where each target is listed. */
export function withBinsKey(targets: TargetsSigned, key: PublicKey): TargetsSigned {
	const bits = targets.delegations?.succinct_roles.bit_length;
	if (bits === undefined)
		throw new SigningError("TRUST_MALFORMED", "the targets metadata delegates to no bins");
	return { ...targets, delegations: delegationTo(key, bits) };
}

/** TRUST_MISMATCH unless the metadata lists exactly these documents, with their sizes and digests (§5.7). */
export function checkDocuments(targets: TargetsSigned, documents: Documents): void {
	const listed = Object.keys(targets.targets).sort();
	const expected = Object.entries(targetFiles(documents));
	const wrong =
		listed.length !== expected.length
			? listed.join(", ")
			: expected.find(([path, file]) => !sameFile(targets.targets[path], file))?.[0];
	if (wrong === undefined) return;
	throw new SigningError("TRUST_MISMATCH", `the targets metadata does not list these documents: ${wrong}`, {
		details: { listed },
	});
}

/** Those that there are, in the order of {@link DOCUMENT_TARGETS}. */
export function documentsIn(
	documents: Documents,
): { readonly path: (typeof DOCUMENT_TARGETS)[number]; readonly bytes: Uint8Array }[] {
	return DOCUMENT_TARGETS.flatMap((path) => {
		const bytes = documents[path];
		return bytes === undefined ? [] : [{ path, bytes }];
	});
}

/** Reads each as hosts do: PUBLISHERS_MALFORMED, TRUST_MALFORMED, VENDORS_MALFORMED. */
export function demandReadable(documents: Documents): void {
	parsePublishers(documents[PUBLISHERS_TARGET]);
	parseRegistryDocument(documents[REGISTRY_TARGET]);
	const vendors = documents[VENDORS_TARGET];
	if (vendors !== undefined) parseVendors(vendors);
}

function sameFile(listed: TargetFile | undefined, file: TargetFile): boolean {
	return (
		listed !== undefined &&
		listed.length === file.length &&
		listed.hashes.sha256 === file.hashes.sha256 &&
		Object.keys(listed.hashes).length === 1 &&
		listed.custom === undefined
	);
}

function targetFiles(documents: Documents): Record<string, TargetFile> {
	return Object.fromEntries(documentsIn(documents).map(({ path, bytes }) => [path, targetFile(bytes)]));
}

function targetFile(bytes: Uint8Array): TargetFile {
	return { length: bytes.byteLength, hashes: { sha256: createHash("sha256").update(bytes).digest("hex") } };
}

function delegationTo(key: PublicKey, bitLength: number): NonNullable<TargetsSigned["delegations"]> {
	const tufKey = tufKeyOf(key);
	const keyid = tufKeyId(tufKey);
	return {
		keys: { [keyid]: tufKey },
		succinct_roles: { keyids: [keyid], threshold: 1, bit_length: bitLength, name_prefix: BIN_PREFIX },
	};
}

function common(version: number, { now, days }: Lifetime) {
	const expires = expiryAfter(now, days);
	return { _type: "targets", spec_version: TUF_SPEC_VERSION, version, expires } as const;
}
