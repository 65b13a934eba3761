import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "../ed25519.ts";
import { SigningError } from "../errors.ts";
import { serializePublishers } from "../publishers.ts";
import { serializeRegistryDocument } from "../registry-document.ts";
import { type Draft, parseDraft, type RootDraft, serializeDraft, type TargetsDraft } from "./draft.ts";
import { differences } from "./draft-difference.ts";
import { demandsOf, isComplete, mergeDrafts, signDraft, signedPrevious } from "./draft-signatures.ts";
import { type TufKeyId, tufKeyId, tufKeyOf } from "./key.ts";
import type { Envelope, RootSigned } from "./metadata.ts";
import {
	firstRoot,
	nextRoot,
	type OfflineRole,
	usualThreshold,
	withOnlineKeys,
	withoutSigner,
	withSigner,
} from "./next-root.ts";
import {
	type Documents,
	firstTargets,
	nextTargets,
	PUBLISHERS_TARGET,
	REGISTRY_TARGET,
	withBinsKey,
	withDocuments,
} from "./next-targets.ts";
import { demandThreshold } from "./sign.ts";

const NOW = new Date("2026-11-28T12:00:00Z");
const LATER = { now: new Date("2027-03-01T00:00:00Z"), days: 365 };
const idOf = ({ publicKey }: SecretKey): TufKeyId => tufKeyId(tufKeyOf(publicKey));

let roots: SecretKey[];
let signers: SecretKey[];
let online: SecretKey[];
let stranger: SecretKey;
beforeAll(async () => {
	const make = (count: number) => Promise.all(Array.from({ length: count }, () => generateKeyPair()));
	[roots, signers, online, [stranger]] = (await Promise.all([make(3), make(2), make(6), make(1)])) as [
		SecretKey[],
		SecretKey[],
		SecretKey[],
		[SecretKey],
	];
});

const publics = (secrets: readonly SecretKey[]) => secrets.map(({ publicKey }) => publicKey);
const onlineKeys = (at: number) => ({
	snapshot: online[at]!.publicKey,
	timestamp: online[at + 1]!.publicKey,
});

function rootOne(threshold = 2): RootSigned {
	return firstRoot(
		{
			root: { keys: publics(roots), threshold },
			targets: { keys: publics(signers), threshold: 2 },
			online: onlineKeys(0),
		},
		{ now: NOW, days: 365 },
	);
}

const unsigned = <S>(signed: S): Envelope<S> => ({ signatures: [], signed });

async function signedBy<D extends Draft>(draft: D, secrets: readonly SecretKey[]): Promise<D> {
	let signed = draft;
	for (const secret of secrets) signed = await signDraft(signed, secret);
	return signed;
}

async function liveRoot(): Promise<Envelope<RootSigned>> {
	const draft: RootDraft = { role: "root", metadata: unsigned(rootOne()), previous: null };
	return (await signedBy(draft, roots.slice(0, 2))).metadata;
}

/** A draft of root 2 with what `change` makes of root 1. */
async function rootTwo(change: (root: RootSigned) => RootSigned): Promise<RootDraft> {
	const live = await liveRoot();
	const next = change(nextRoot(live.signed, LATER));
	return { role: "root", metadata: unsigned(next), previous: { metadata: live } };
}

const DOCUMENTS: Documents = {
	[PUBLISHERS_TARGET]: serializePublishers({ publishers: [] }),
	[REGISTRY_TARGET]: serializeRegistryDocument({ origin: "test/log", log: null, witnesses: [], quorum: 0 }),
};

async function targetsOne(): Promise<TargetsDraft> {
	const bins = { count: 16, key: online[2]!.publicKey };
	const metadata = unsigned(firstTargets({ documents: DOCUMENTS, bins }, { now: NOW, days: 180 }));
	return { role: "targets", metadata, documents: DOCUMENTS, previous: null, root: await liveRoot() };
}

const code = async (work: () => unknown): Promise<string> => {
	try {
		await work();
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		return error.code;
	}
	return "no error";
};

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

describe("the difference to the previous version", () => {
	test("of a root: what was added, removed and changed, and nothing else", async () => {
		const draft = await rootTwo((root) =>
			withoutSigner(withSigner(root, "root", { key: stranger.publicKey, threshold: 3 }), "root", {
				keyid: idOf(roots[0]!),
				threshold: undefined,
			}),
		);
		const hex = (secret: SecretKey) => Buffer.from(secret.publicKey.bytes).toString("hex");
		expect(differences(draft)).toEqual([
			{ what: "version", before: "1", after: "2" },
			{ what: "expires", before: "2027-11-28T12:00:00Z", after: "2028-02-29T00:00:00Z" },
			{ what: "roles.root.threshold", before: "2", after: "3" },
			{ what: `roles.root.key ${idOf(stranger)}`, before: null, after: "may sign" },
			{ what: `keys.${idOf(stranger)}`, before: null, after: hex(stranger) },
			{ what: `roles.root.key ${idOf(roots[0]!)}`, before: "may sign", after: null },
			{ what: `keys.${idOf(roots[0]!)}`, before: hex(roots[0]!), after: null },
		]);
	});

	test("of targets: the publishers, key by key, and the order in which they decide", async () => {
		const first = await targetsOne();
		const entry = { names: ["gro"], threshold: 1, keys: publics([stranger]) };
		const documents = { ...DOCUMENTS, [PUBLISHERS_TARGET]: serializePublishers({ publishers: [entry] }) };
		const metadata = unsigned(withDocuments(nextTargets(first.metadata.signed, LATER), documents));
		const { metadata: live, documents: old } = first;
		const draft: TargetsDraft = {
			...first,
			metadata,
			documents,
			previous: { metadata: live, documents: old },
		};
		const found = differences(draft);
		expect(found.map(({ what }) => what)).toEqual([
			"version",
			"expires",
			"kfn/publishers.json sha256",
			"kfn/publishers.json order",
			"kfn/publishers.json gro.threshold",
			`kfn/publishers.json gro.key ${stranger.publicKey.keyid}`,
		]);
		expect(found.at(-1)).toMatchObject({ before: null, after: "may sign" });
	});

	test("of the bins' key", async () => {
		const first = await targetsOne();
		const metadata = unsigned(withBinsKey(nextTargets(first.metadata.signed, LATER), online[5]!.publicKey));
		const draft = { ...first, metadata, previous: { metadata: first.metadata, documents: first.documents } };
		const what = differences(draft).map((difference) => difference.what);
		expect(what).toContain(`bins.key ${idOf(online[5]!)}`);
		expect(what).toContain(`bins.key ${idOf(online[2]!)}`);
		expect(what).not.toContain("bins.bit_length");
	});

	test("of a first version, all that it says", async () => {
		const found = differences(await targetsOne());
		expect(found).toContainEqual({ what: "bins.bit_length", before: null, after: "4" });
		expect(found).toContainEqual({ what: "kfn/registry.json.origin", before: null, after: "test/log" });
	});
});

describe("the file kfn.draft/1", () => {
	test("comes back as it was, both roles", async () => {
		for (const draft of [await targetsOne(), await rootTwo((root) => root)]) {
			const bytes = serializeDraft(draft);
			expect(serializeDraft(parseDraft(bytes))).toEqual(bytes);
			expect(differences(parseDraft(bytes))).toEqual(differences(draft));
		}
	});

	type Fields = Record<string, unknown>;
	const spoiled = async (which: "root" | "targets", change: (file: Fields) => void) => {
		const draft = which === "root" ? await rootTwo((root) => root) : await targetsOne();
		const file = JSON.parse(Buffer.from(serializeDraft(draft)).toString()) as Fields;
		change(file);
		return code(() => parseDraft(Buffer.from(JSON.stringify(file))));
	};
	const at = (file: Fields, ...path: string[]) =>
		path.reduce<Fields>((value, field) => value[field] as Fields, file);

	test.each<[string, "root" | "targets", (file: Fields) => void]>([
		["another schema", "root", (file) => Object.assign(file, { schema: "kfn.draft/2" })],
		["another role", "root", (file) => Object.assign(file, { role: "targets" })],
		["a role that nobody drafts", "root", (file) => Object.assign(file, { role: "snapshot" })],
		["a field more", "root", (file) => Object.assign(file, { note: "" })],
		["no previous version", "root", (file) => Object.assign(file, { previous: null })],
		["a skipped version", "root", (file) => Object.assign(at(file, "metadata", "signed"), { version: 3 })],
		["a field in what is signed", "root", (file) => Object.assign(at(file, "metadata", "signed"), { x: 1 })],
		[
			"a role more",
			"root",
			(file) => Object.assign(at(file, "metadata", "signed", "roles"), { mirrors: {} }),
		],
		[
			"a delegation by role beside the bins",
			"targets",
			(file) => Object.assign(at(file, "metadata", "signed", "delegations"), { roles: [] }),
		],
		[
			"a number that canonical JSON cannot hold",
			"root",
			(file) => Object.assign(at(file, "metadata", "signed", "roles", "root"), { x: 1.5 }),
		],
		[
			"a key with a field more",
			"root",
			(file) => Object.assign(Object.values(at(file, "metadata", "signed", "keys"))[0] as Fields, { x: 1 }),
		],
		[
			"documents of another text",
			"targets",
			(file) => Object.assign(at(file, "documents"), { [PUBLISHERS_TARGET]: "{}" }),
		],
		["a document more", "targets", (file) => Object.assign(at(file, "documents"), { "kfn/more.json": "" })],
		[
			"a document that is no text",
			"targets",
			(file) => Object.assign(at(file, "documents"), { [REGISTRY_TARGET]: 1 }),
		],
		[
			"a target more",
			"targets",
			(file) =>
				Object.assign(at(file, "metadata", "signed", "targets"), {
					"gro/index.json": { length: 1, hashes: { sha256: "0".repeat(64) } },
				}),
		],
		["no root", "targets", (file) => Object.assign(file, { root: null })],
		[
			"a delegation by path beside the bins",
			"targets",
			(file) => Object.assign(at(file, "metadata", "signed"), { delegated: [] }),
		],
	])("%s is DRAFT_MALFORMED", async (_what, which, change) => {
		expect(await spoiled(which, change)).toBe("DRAFT_MALFORMED");
	});

	test("with any byte changed it is another draft, or refused, or its signatures do not fit", async () => {
		const draft = await signedBy(await targetsOne(), signers);
		const bytes = serializeDraft(draft);
		for (let index = 0; index < bytes.byteLength; index += 3) {
			const changed = new Uint8Array(bytes);
			changed[index] = changed[index]! ^ (1 << (index % 8));
			try {
				const parsed = parseDraft(changed) as TargetsDraft;
				if (!isComplete(await demandsOf(parsed))) continue;
				expect(parsed.metadata.signed).toEqual(draft.metadata.signed);
				expect(parsed.documents).toEqual(draft.documents);
			} catch (error) {
				expect(error).toBeInstanceOf(SigningError);
			}
		}
	});
});
