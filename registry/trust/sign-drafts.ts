// Signs drafts at once, where a command was given keys. Refuses keys that no draft asks for, and to sign what waited there before
// and the key has not signed: a change goes into the draft that waits, and its signer would sign somebody else's change unseen.
import type { SecretKey } from "#signing/ed25519.ts";
import { type Draft, draftTitle } from "#signing/tuf/draft.ts";
import { demandMaySign, maySign, signDraft } from "#signing/tuf/draft-signatures.ts";
import { type TufKeyId, tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { RegistryError } from "../api/errors.ts";
import { type Drafts, listed } from "./staged-drafts.ts";

/** Every key signs the drafts that ask for it. DRAFT_FOREIGN_KEY for one that none asks for, before anything is written. */
export async function signAll(drafts: Drafts, secrets: readonly SecretKey[]): Promise<Drafts> {
	const all = listed(drafts);
	for (const secret of secrets) {
		if (all.length > 0 && !all.some((draft) => maySign(draft, idOf(secret))))
			demandMaySign(all[0]!, idOf(secret));
	}
	const sign = async <D extends Draft>(draft: D | undefined): Promise<D | undefined> => {
		let signed = draft;
		for (const secret of secrets) {
			if (signed !== undefined && maySign(signed, idOf(secret))) signed = await signDraft(signed, secret);
		}
		return signed;
	};
	return { root: await sign(drafts.root), targets: await sign(drafts.targets) };
}

/** REGISTRY_DRAFT_UNSEEN where one of the keys would sign a draft that waited without its signature. */
export function demandSeen(waited: Drafts, drafts: Drafts, secrets: readonly SecretKey[]): void {
	for (const draft of listed(drafts)) {
		const before = waited[draft.role];
		if (before === undefined) continue;
		const signers = before.metadata.signatures.map(({ keyid }) => keyid);
		const unseen = secrets.map(idOf).find((id) => maySign(draft, id) && !signers.includes(id));
		if (unseen !== undefined) throw notSeen(before, unseen);
	}
}

function notSeen(draft: Draft, keyid: TufKeyId): RegistryError {
	return new RegistryError(
		"REGISTRY_DRAFT_UNSEEN",
		`a draft of ${draftTitle(draft)} waits, which the key ${keyid} has not signed: this change would go into it, and be signed with it`,
		{
			hint: "leave out --key, look at the whole with kfn root show, and sign it with kfn root sign",
			details: { role: draft.role, keyid },
		},
	);
}

function idOf(secret: SecretKey): TufKeyId {
	return tufKeyId(tufKeyOf(secret.publicKey));
}
