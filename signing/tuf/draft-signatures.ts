// Who must sign a draft, who has, and signing it; merging copies that were signed apart. Refuses keys whose signature nobody
// asks for, signatures that do not fit, and copies that are not of one draft.
import { canonicalize } from "@tufjs/canonical-json";
import type { SecretKey } from "../ed25519.ts";
import { verify } from "../ed25519.ts";
import { SigningError } from "../errors.ts";
import { type Draft, draftTitle, serializeDraft } from "./draft.ts";
import { publicKeyOfTuf, type TufKey, type TufKeyId, tufKeyId, tufKeyOf } from "./key.ts";
import { type Envelope, type RoleKeys, type RootSigned, signedBytes, type TufSignature } from "./metadata.ts";
import { demandThreshold, signEnvelope, signersOf } from "./sign.ts";

/** One threshold that a draft must meet, and how far it is. */
export interface Demand {
	/** `by` names the root version whose role asks for it: the one before the draft, or the draft's own. */
	readonly by: { readonly root: number; readonly role: "root" | "targets" };
	readonly threshold: number;
	readonly signed: readonly TufKeyId[];
	/** Keys of the role that have not signed; any `lacking` of them do. */
	readonly missing: readonly TufKeyId[];
	/** How many signatures are still needed; 0 when the demand is met. */
	readonly lacking: number;
}

interface Asked {
	readonly root: RootSigned;
	readonly role: "root" | "targets";
}

/**
 * Checks every signature that the draft carries, and its previous version's, and says what is still needed.
 * TUF 1.0.34 §5.3.4: a root needs the threshold of the root before it and its own; targets that of the root in force.
 * TRUST_SIGNATURES: a signature that does not fit, or a previous root that its own keys did not sign. DRAFT_FOREIGN_KEY.
 */
export async function demandsOf(draft: Draft): Promise<Demand[]> {
	await checkSignatures(draft);
	if (draft.role === "root" && draft.previous !== null) {
		const { metadata } = draft.previous;
		const { roles, keys } = metadata.signed;
		await demandThreshold(
			metadata,
			roles.root,
			keys,
			`the previous version, root ${metadata.signed.version}`,
		);
	}
	return Promise.all(askedOf(draft).map((asked) => demandOf(draft, asked)));
}

export function isComplete(demands: readonly Demand[]): boolean {
	return demands.every(({ lacking }) => lacking === 0);
}

/** The draft with this key's signature; signing again is harmless. DRAFT_FOREIGN_KEY when nobody asks for it. */
export async function signDraft<D extends Draft>(draft: D, secret: SecretKey): Promise<D> {
	const keyid = tufKeyId(tufKeyOf(secret.publicKey));
	demandMaySign(draft, keyid);
	const metadata = await signEnvelope(draft.metadata as Envelope<RootSigned>, secret);
	return { ...draft, metadata };
}

/** True when the draft asks for this key's signature. */
export function maySign(draft: Draft, keyid: TufKeyId): boolean {
	return eligibleKeys(draft).has(keyid);
}

/** DRAFT_FOREIGN_KEY unless {@link maySign}. */
export function demandMaySign(draft: Draft, keyid: TufKeyId): void {
	if (maySign(draft, keyid)) return;
	throw new SigningError(
		"DRAFT_FOREIGN_KEY",
		`${keyid} is not one of the keys that sign ${draftTitle(draft)}`,
		{
			hint: "kfn root show FILE lists them; kfn key show prints a key file's tuf id",
			details: { keyid, keys: [...eligibleKeys(draft).keys()] },
		},
	);
}

/** One draft with the signatures of all copies. DRAFT_DIFFERS unless they are the same apart from their signatures. */
export function mergeDrafts<D extends Draft>(copies: readonly [D, ...D[]]): D {
	const [first, ...others] = copies;
	const body = unsigned(first);
	if (others.some((copy) => unsigned(copy) !== body)) {
		throw new SigningError("DRAFT_DIFFERS", `these are two different drafts of ${draftTitle(first)}`, {
			hint: "kfn root show FILE shows each; go on with the one that was meant",
		});
	}
	const signatures = new Map<string, TufSignature>();
	for (const { metadata } of copies)
		for (const signature of metadata.signatures)
			if (!signatures.has(signature.keyid)) signatures.set(signature.keyid, signature);
	return { ...first, metadata: { ...first.metadata, signatures: [...signatures.values()] } };
}

/** True when this key's valid signature stands on the version before the draft: then the difference shown is one to it. */
export async function signedPrevious(draft: Draft, keyid: TufKeyId): Promise<boolean> {
	const key = eligibleKeys(draft).get(keyid);
	if (draft.previous === null || key === undefined) return false;
	const role = { keyids: [keyid], threshold: 1 };
	return (await signersOf(draft.previous.metadata, role, { [keyid]: key })).length === 1;
}

function askedOf(draft: Draft): Asked[] {
	if (draft.role === "targets") return [{ root: draft.root.signed, role: "targets" }];
	const own = { root: draft.metadata.signed, role: "root" } as const;
	return draft.previous === null ? [own] : [{ root: draft.previous.metadata.signed, role: "root" }, own];
}

function rolesOf({ root, role }: Asked): RoleKeys {
	return root.roles[role];
}

async function demandOf(draft: Draft, asked: Asked): Promise<Demand> {
	const { keyids, threshold } = rolesOf(asked);
	const signed = await signersOf(draft.metadata, rolesOf(asked), asked.root.keys);
	return {
		by: { root: asked.root.version, role: asked.role },
		threshold,
		signed,
		missing: keyids.filter((keyid) => !signed.includes(keyid)),
		lacking: Math.max(0, threshold - signed.length),
	};
}

function eligibleKeys(draft: Draft): ReadonlyMap<TufKeyId, TufKey> {
	return new Map(
		askedOf(draft).flatMap((asked) =>
			rolesOf(asked).keyids.map((keyid) => [keyid, asked.root.keys[keyid]!] as const),
		),
	);
}

async function checkSignatures(draft: Draft): Promise<void> {
	const keys = eligibleKeys(draft);
	const bytes = signedBytes(draft.metadata.signed);
	for (const { keyid, sig } of draft.metadata.signatures) {
		demandMaySign(draft, keyid);
		if (await verify(publicKeyOfTuf(keys.get(keyid)!), Buffer.from(sig, "hex"), bytes)) continue;
		throw new SigningError(
			"TRUST_SIGNATURES",
			`the signature of ${keyid} does not fit the draft of ${draftTitle(draft)}`,
			{ hint: "the file was changed after it was signed; get it again from this signer", details: { keyid } },
		);
	}
}

/** The draft's content in one spelling; the root of a targets draft may be signed in one copy and not yet in the other. */
function unsigned(draft: Draft): string {
	const bare = { ...draft, metadata: { ...draft.metadata, signatures: [] } } as Draft;
	const body = bare.role === "root" ? bare : { ...bare, root: { ...bare.root, signatures: [] } };
	return canonicalize(JSON.parse(Buffer.from(serializeDraft(body)).toString("utf8")));
}
