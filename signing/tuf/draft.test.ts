// Drafts: what the next version says, who must sign it, and copies that are signed apart.

import { describe, expect, test } from "vitest";
import type { SecretKey } from "../ed25519.ts";
import { type Draft, parseDraft, type RootDraft, serializeDraft } from "./draft.ts";
import { demandsOf, isComplete, mergeDrafts, signDraft, signedPrevious } from "./draft-signatures.ts";
import type { RootSigned } from "./metadata.ts";
import {
	firstRoot,
	nextRoot,
	type OfflineRole,
	usualThreshold,
	withOnlineKeys,
	withoutSigner,
	withSigner,
} from "./next-root.ts";
import { demandThreshold } from "./sign.ts";
import {
	code,
	idOf,
	LATER,
	online,
	onlineKeys,
	publics,
	rootOne,
	roots,
	rootTwo,
	signedBy,
	signers,
	stranger,
	targetsOne,
	unsigned,
} from "./testing/drafts.ts";

describe("root versions", () => {
	test("the first has every key of its roles, and sane thresholds are more than half", () => {
		const root = rootOne(usualThreshold(3));
		expect(root).toMatchObject({ version: 1, expires: "2027-11-28T12:00:00Z", consistent_snapshot: true });
		expect(Object.keys(root.keys).sort()).toEqual(
			[...roots, ...signers, ...online.slice(0, 2)].map(idOf).sort(),
		);
		expect(root.roles.root).toEqual({ keyids: roots.map(idOf), threshold: 2 });
		expect([1, 2, 3, 4, 5].map(usualThreshold)).toEqual([1, 2, 2, 3, 3]);
	});

	test("a next one follows by one, and a key that no role names is gone", () => {
		const changed = withOnlineKeys(nextRoot(rootOne(), LATER), onlineKeys(3));
		expect(changed).toMatchObject({ version: 2, expires: "2028-02-29T00:00:00Z" });
		expect(Object.keys(changed.keys)).not.toContain(idOf(online[0]!));
		expect(changed.roles.snapshot.keyids).toEqual([idOf(online[3]!)]);
		const without = withoutSigner(changed, "root", { keyid: idOf(roots[2]!), threshold: undefined });
		expect(Object.keys(without.keys)).not.toContain(idOf(roots[2]!));
	});

	test("a key of two roles stays when one lets it go", () => {
		const both = withSigner(rootOne(), "targets", { key: roots[0]!.publicKey, threshold: undefined });
		const one = withoutSigner(both, "root", { keyid: idOf(roots[0]!), threshold: undefined });
		expect(one.roles.root.keyids).toHaveLength(2);
		expect(Object.keys(one.keys)).toContain(idOf(roots[0]!));
	});

	test("adding a signer again changes the threshold only", () => {
		const same = withSigner(rootOne(), "root", { key: roots[0]!.publicKey, threshold: 3 });
		expect(same.roles.root).toEqual({ keyids: roots.map(idOf), threshold: 3 });
	});

	const without = (root: RootSigned, role: OfflineRole, secret: SecretKey, threshold?: number) =>
		withoutSigner(root, role, { keyid: idOf(secret), threshold });
	test.each<[string, string, () => unknown]>([
		["a threshold above the keys", "DRAFT_ROLE_KEYS", () => rootOne(4)],
		["a threshold of 0", "DRAFT_ROLE_KEYS", () => rootOne(0)],
		["a fractional threshold", "DRAFT_ROLE_KEYS", () => rootOne(1.5)],
		[
			"a key twice",
			"DRAFT_ROLE_KEYS",
			() => {
				const keys = [roots[0]!.publicKey, roots[0]!.publicKey];
				const targets = { keys: publics(signers), threshold: 1 };
				firstRoot({ root: { keys, threshold: 2 }, targets, online: onlineKeys(0) }, LATER);
			},
		],
		["removing below the threshold", "DRAFT_ROLE_KEYS", () => without(rootOne(), "targets", signers[0]!)],
		[
			"removing the last key",
			"DRAFT_ROLE_KEYS",
			() => without(without(rootOne(), "targets", signers[0]!, 1), "targets", signers[1]!, 1),
		],
		["removing a stranger", "DRAFT_UNKNOWN_SIGNER", () => without(rootOne(), "root", stranger)],
	])("%s is %s", async (_what, expected, work) => {
		expect(await code(work)).toBe(expected);
	});
});

describe("who must sign (TUF 1.0.34 §5.3.4)", () => {
	test("a first root needs its own threshold", async () => {
		const draft: RootDraft = { role: "root", metadata: unsigned(rootOne()), previous: null };
		expect(await demandsOf(draft)).toEqual([
			{
				by: { root: 1, role: "root" },
				threshold: 2,
				signed: [],
				missing: roots.map(idOf),
				lacking: 2,
			},
		]);
		const one = await demandsOf(await signedBy(draft, [roots[1]!]));
		expect(one[0]).toMatchObject({ signed: [idOf(roots[1]!)], lacking: 1 });
		expect(isComplete(one)).toBe(false);
		expect(isComplete(await demandsOf(await signedBy(draft, [roots[1]!, roots[2]!])))).toBe(true);
	});

	test("a root that replaces a signer needs the old threshold and the new one", async () => {
		const draft = await rootTwo((root) =>
			withoutSigner(withSigner(root, "root", { key: stranger.publicKey, threshold: 3 }), "root", {
				keyid: idOf(roots[0]!),
				threshold: undefined,
			}),
		);
		const state = async (...secrets: SecretKey[]) =>
			(await demandsOf(await signedBy(draft, secrets))).map(({ by, lacking }) => [by.root, lacking]);
		expect(await state()).toEqual([
			[1, 2],
			[2, 3],
		]);
		expect(await state(roots[0]!, roots[1]!)).toEqual([
			[1, 0],
			[2, 2],
		]);
		expect(await state(stranger, roots[1]!)).toEqual([
			[1, 1],
			[2, 1],
		]);
		expect(await state(stranger, roots[1]!, roots[2]!)).toEqual([
			[1, 0],
			[2, 0],
		]);
	});

	test("targets need the threshold of the root in force, whoever else signs", async () => {
		const draft = await targetsOne();
		expect(await code(() => signDraft(draft, roots[0]!))).toBe("DRAFT_FOREIGN_KEY");
		expect((await demandsOf(await signedBy(draft, [signers[0]!])))[0]).toMatchObject({
			by: { root: 1, role: "targets" },
			missing: [idOf(signers[1]!)],
			lacking: 1,
		});
		expect(isComplete(await demandsOf(await signedBy(draft, signers)))).toBe(true);
	});

	test("online keys sign neither", async () => {
		expect(await code(async () => signDraft(await rootTwo((root) => root), online[0]!))).toBe(
			"DRAFT_FOREIGN_KEY",
		);
	});

	test("a signature that does not fit, or of a foreign key, is refused wherever it stands", async () => {
		const draft = await signedBy(await rootTwo((root) => root), [roots[0]!]);
		const [own] = draft.metadata.signatures;
		const withSignatures = (signatures: typeof draft.metadata.signatures): RootDraft => ({
			...draft,
			metadata: { ...draft.metadata, signatures },
		});
		const forged = { ...own!, keyid: idOf(roots[1]!) };
		expect(await code(() => demandsOf(withSignatures([own!, forged])))).toBe("TRUST_SIGNATURES");
		const foreign = { ...own!, keyid: idOf(stranger) };
		expect(await code(() => demandsOf(withSignatures([foreign])))).toBe("DRAFT_FOREIGN_KEY");
		const other = {
			...draft,
			metadata: { ...draft.metadata, signed: { ...draft.metadata.signed, version: 3 } },
		};
		expect(await code(() => demandsOf(other))).toBe("TRUST_SIGNATURES");
	});

	test("a previous root that its own keys did not sign is refused: the difference would be one to a fiction", async () => {
		const draft = await rootTwo((root) => root);
		const { metadata } = draft.previous!;
		const cut = {
			...draft,
			previous: { metadata: { ...metadata, signatures: metadata.signatures.slice(1) } },
		};
		expect(await code(() => demandsOf(cut))).toBe("TRUST_SIGNATURES");
	});

	test("a signer learns whether the previous version carries the own signature", async () => {
		const draft = await rootTwo((root) => root);
		expect(await signedPrevious(draft, idOf(roots[0]!))).toBe(true);
		expect(await signedPrevious(draft, idOf(roots[2]!))).toBe(false);
		expect(await signedPrevious(await targetsOne(), idOf(signers[0]!))).toBe(false);
	});

	test("what is complete passes the check that clients make", async () => {
		const draft = await signedBy(await rootTwo((root) => root), roots.slice(1));
		const { roles, keys } = draft.previous!.metadata.signed;
		await demandThreshold(draft.metadata, roles.root, keys, "old");
		await demandThreshold(
			draft.metadata,
			draft.metadata.signed.roles.root,
			draft.metadata.signed.keys,
			"new",
		);
	});
});

describe("copies", () => {
	test("signed apart, they come together", async () => {
		const draft = await rootTwo((root) => root);
		const apart = await Promise.all(roots.slice(1).map((root) => signedBy(draft, [root])));
		const merged = mergeDrafts(
			apart.map((copy) => parseDraft(serializeDraft(copy)) as RootDraft) as [RootDraft],
		);
		expect(isComplete(await demandsOf(merged))).toBe(true);
		expect(mergeDrafts([merged, apart[0]!]).metadata.signatures).toHaveLength(2);
	});

	test("of different drafts, they do not", async () => {
		const one = await rootTwo((root) => root);
		const two = await rootTwo((root) => ({ ...root, expires: "2099-01-01T00:00:00Z" }));
		expect(await code(() => mergeDrafts([one, two]))).toBe("DRAFT_DIFFERS");
		const targets = await targetsOne();
		expect(await code(() => mergeDrafts<Draft>([targets, one]))).toBe("DRAFT_DIFFERS");
	});

	test("of one targets draft stay one when its root was signed in between", async () => {
		const draft = await targetsOne();
		const root = { ...draft.root, signatures: [] };
		expect(
			mergeDrafts([await signedBy(draft, [signers[0]!]), { ...draft, root }]).metadata.signatures,
		).toHaveLength(1);
	});
});
