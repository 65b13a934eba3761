// Keys, roots and drafts that the tests of drafts share.

import { beforeAll } from "vitest";
import { generateKeyPair, type SecretKey } from "../../ed25519.ts";
import { SigningError } from "../../errors.ts";
import { serializePublishers } from "../../publishers.ts";
import { serializeRegistryDocument } from "../../registry-document.ts";
import type { Draft, RootDraft, TargetsDraft } from "../draft.ts";
import { signDraft } from "../draft-signatures.ts";
import { type TufKeyId, tufKeyId, tufKeyOf } from "../key.ts";
import type { Envelope, RootSigned } from "../metadata.ts";
import { firstRoot, nextRoot } from "../next-root.ts";
import { type Documents, firstTargets, PUBLISHERS_TARGET, REGISTRY_TARGET } from "../next-targets.ts";

export const NOW = new Date("2026-11-28T12:00:00Z");
export const LATER = { now: new Date("2027-03-01T00:00:00Z"), days: 365 };
export const idOf = ({ publicKey }: SecretKey): TufKeyId => tufKeyId(tufKeyOf(publicKey));

export let roots: SecretKey[];
export let signers: SecretKey[];
export let online: SecretKey[];
export let stranger: SecretKey;
beforeAll(async () => {
	const make = (count: number) => Promise.all(Array.from({ length: count }, () => generateKeyPair()));
	[roots, signers, online, [stranger]] = (await Promise.all([make(3), make(2), make(6), make(1)])) as [
		SecretKey[],
		SecretKey[],
		SecretKey[],
		[SecretKey],
	];
});

export const publics = (secrets: readonly SecretKey[]) => secrets.map(({ publicKey }) => publicKey);
export const onlineKeys = (at: number) => ({
	snapshot: online[at]!.publicKey,
	timestamp: online[at + 1]!.publicKey,
});

export function rootOne(threshold = 2): RootSigned {
	return firstRoot(
		{
			root: { keys: publics(roots), threshold },
			targets: { keys: publics(signers), threshold: 2 },
			online: onlineKeys(0),
		},
		{ now: NOW, days: 365 },
	);
}

export const unsigned = <S>(signed: S): Envelope<S> => ({ signatures: [], signed });

export async function signedBy<D extends Draft>(draft: D, secrets: readonly SecretKey[]): Promise<D> {
	let signed = draft;
	for (const secret of secrets) signed = await signDraft(signed, secret);
	return signed;
}

export async function liveRoot(): Promise<Envelope<RootSigned>> {
	const draft: RootDraft = { role: "root", metadata: unsigned(rootOne()), previous: null };
	return (await signedBy(draft, roots.slice(0, 2))).metadata;
}

/** A draft of root 2 with what `change` makes of root 1. */
export async function rootTwo(change: (root: RootSigned) => RootSigned): Promise<RootDraft> {
	const live = await liveRoot();
	const next = change(nextRoot(live.signed, LATER));
	return { role: "root", metadata: unsigned(next), previous: { metadata: live } };
}

export const DOCUMENTS: Documents = {
	[PUBLISHERS_TARGET]: serializePublishers({ publishers: [] }),
	[REGISTRY_TARGET]: serializeRegistryDocument({ origin: "test/log", log: null, witnesses: [], quorum: 0 }),
};

export async function targetsOne(): Promise<TargetsDraft> {
	const bins = { count: 16, key: online[2]!.publicKey };
	const metadata = unsigned(firstTargets({ documents: DOCUMENTS, bins }, { now: NOW, days: 180 }));
	return { role: "targets", metadata, documents: DOCUMENTS, previous: null, root: await liveRoot() };
}

export const code = async (work: () => unknown): Promise<string> => {
	try {
		await work();
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		return error.code;
	}
	return "no error";
};
