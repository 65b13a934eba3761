// What a draft says, as a flat list of facts, and which of them differ from the version before it: what a signer reads before
// signing. Refuses to leave anything out: every value of the metadata and of its documents is a fact.
import type { PublicKey } from "../public-key.ts";
import { parsePublishers } from "../publishers.ts";
import { hardwareOf, parseVendors } from "../vendors.ts";
import type { Draft } from "./draft.ts";
import type { RoleKeys, RootSigned, TargetsSigned } from "./metadata.ts";
import {
	type Documents,
	documentsIn,
	PUBLISHERS_TARGET,
	REGISTRY_TARGET,
	VENDORS_TARGET,
} from "./next-targets.ts";

/** One fact that changes; null where there was none, or is none any more. */
export interface Difference {
	/** Where it stands: `roles.root.threshold`, `kfn/publishers.json gro.keys <keyid>`. */
	readonly what: string;
	readonly before: string | null;
	readonly after: string | null;
}

type Facts = ReadonlyMap<string, string>;

/** Every fact in which the draft differs from its previous version, in the order of the draft; for version 1, all of them. */
export function differences(draft: Draft): Difference[] {
	const after = factsOf(draft);
	const before: Facts =
		draft.previous === null ? new Map() : factsOf({ ...draft, ...draft.previous } as Draft);
	return [...new Set([...after.keys(), ...before.keys()])]
		.map((what) => ({ what, before: before.get(what) ?? null, after: after.get(what) ?? null }))
		.filter(({ before, after }) => before !== after);
}

function factsOf(draft: Draft): Facts {
	return new Map(
		draft.role === "root"
			? rootFacts(draft.metadata.signed)
			: targetsFacts(draft.metadata.signed, draft.documents),
	);
}

type Fact = readonly [what: string, value: string];

function* rootFacts({ keys, roles, ...rest }: RootSigned): Generator<Fact> {
	yield* flat("", rest);
	for (const [role, signers] of Object.entries(roles)) yield* signersFacts(`roles.${role}`, signers);
	yield* keysFacts(keys);
}

function* signersFacts(what: string, { keyids, ...rest }: RoleKeys): Generator<Fact> {
	yield* flat(what, rest);
	for (const keyid of keyids) yield [`${what}.key ${keyid}`, "may sign"];
}

function* keysFacts(keys: RootSigned["keys"]): Generator<Fact> {
	// A key's id is a digest of all of it, so its public half is the one value that a reader may want.
	for (const [keyid, { keyval }] of Object.entries(keys)) yield [`keys.${keyid}`, keyval.public];
}

function* targetsFacts(
	{ targets, delegations, ...rest }: TargetsSigned,
	documents: Documents,
): Generator<Fact> {
	yield* flat("", rest);
	if (delegations !== undefined) {
		const { keys, succinct_roles: bins, ...more } = delegations;
		yield* flat("delegations", more);
		yield* signersFacts("bins", bins);
		yield* keysFacts(keys);
	}
	for (const { path } of documentsIn(documents)) yield [`${path} sha256`, targets[path]!.hashes.sha256];
	yield* publishersFacts(documents[PUBLISHERS_TARGET]);
	yield* flat(REGISTRY_TARGET, JSON.parse(Buffer.from(documents[REGISTRY_TARGET]).toString("utf8")));
	const vendors = documents[VENDORS_TARGET];
	if (vendors !== undefined) yield* vendorsFacts(vendors);
}

function* publishersFacts(bytes: Uint8Array): Generator<Fact> {
	const { publishers } = parsePublishers(bytes);
	// The first entry that matches decides, so an entry's place is part of what it means.
	yield [`${PUBLISHERS_TARGET} order`, publishers.map(({ names }) => names.join(" ")).join(" | ")];
	for (const { names, threshold, keys, revoked = [] } of publishers) {
		const entry = `${PUBLISHERS_TARGET} ${names.join(" ")}`;
		yield [`${entry}.threshold`, String(threshold)];
		for (const key of keys) yield [`${entry}.key ${key.keyid}`, comment(key)];
		for (const { key, reason, manifests } of revoked) {
			yield [`${entry}.key ${key.keyid}`, `revoked: ${reason}`];
			for (const manifest of manifests) yield [`${entry}.revoked ${key.keyid} keeps ${manifest}`, "goes on"];
		}
	}
}

function* vendorsFacts(bytes: Uint8Array): Generator<Fact> {
	const { vendors } = parseVendors(bytes);
	yield [`${VENDORS_TARGET} order`, vendors.map((entry) => hardwareOf(entry).join(" ")).join(" | ")];
	for (const { issuer, threshold, keys, ...hardware } of vendors) {
		const entry = `${VENDORS_TARGET} ${hardwareOf(hardware).join(" ")}`;
		yield [`${entry}.issuer`, issuer];
		yield [`${entry}.threshold`, String(threshold)];
		for (const key of keys) yield [`${entry}.key ${key.keyid}`, comment(key)];
	}
}

function comment(key: PublicKey): string {
	return key.comment === "" ? "may sign" : `may sign (${key.comment})`;
}

function* flat(what: string, value: unknown): Generator<Fact> {
	if (typeof value !== "object" || value === null) {
		yield [what, String(value)];
		return;
	}
	for (const [name, part] of Object.entries(value))
		yield* flat(Array.isArray(value) ? `${what}[${name}]` : what === "" ? name : `${what}.${name}`, part);
}
