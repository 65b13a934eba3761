// New root and targets metadata going live in the real store, and what must not: attacks and mistakes by name.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { serializeDsseEnvelope } from "#signing/envelope.ts";
import { PERMIT_PAYLOAD_TYPE } from "#signing/permit.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import type { Envelope, RootSigned, TargetsSigned } from "#signing/tuf/metadata.ts";
import { nextRoot, withOnlineKeys, withoutSigner, withSigner } from "#signing/tuf/next-root.ts";
import {
	firstTargets,
	nextTargets,
	PUBLISHERS_TARGET,
	withBinsKey,
	withDocuments,
} from "#signing/tuf/next-targets.ts";
import { signNew } from "#signing/tuf/sign.ts";
import type { MetadataStore, MetadataTransaction, VersionRecord } from "../ports/metadata-store.ts";
import type { StatementRecord } from "../ports/statement-store.ts";
import type { StoreReader } from "../testing/store-reader.ts";
import type { TestTrust } from "../testing/trust.ts";
import { openTrustedStore, type TrustedStore } from "../testing/trusted-store.ts";
import { acceptMetadata, type Offered } from "./accept.ts";
import { generateOnlineKeys, keyringOf } from "./online-keys.ts";
import { publishTargets } from "./repository.ts";

const NOW = new Date();
/** Unsigned: what is listed is not judged here. */
const PERMIT: StatementRecord = {
	kind: "permit",
	name: "alpha",
	id: "0".repeat(32),
	serial: 0,
	expires: null,
	sha256: "0".repeat(64),
	bytes: serializeDsseEnvelope({
		payloadType: PERMIT_PAYLOAD_TYPE,
		payload: Buffer.from("{}"),
		signatures: [],
	}),
	publishedAt: NOW.toISOString(),
	publishedBy: "token",
};
const LIFE = { now: NOW, days: 300 };
let store: TrustedStore;
let metadata: MetadataStore;
let trust: TestTrust;
let reader: StoreReader;
beforeEach(async () => {
	store = await openTrustedStore();
	({ metadata, trust, reader } = store);
});
afterEach(() => store[Symbol.asyncDispose]());

const accept = (offered: Offered, keyring = keyringOf(trust.online), now = NOW) =>
	metadata.transaction((tx) => acceptMetadata(tx, offered, { keyring, now }));
const live = async () => JSON.stringify(await metadata.read((reads) => reads.listRoles()));
/** The refusal's code; whatever it is, nothing may have changed. */
async function refusal(work: () => Promise<unknown>): Promise<string> {
	const before = await live();
	const code = await work().then(
		() => "accepted",
		(error: { code?: string }) => error.code ?? String(error),
	);
	expect(await live()).toBe(before);
	return code;
}
const idOf = (secret: SecretKey) => tufKeyId(tufKeyOf(secret.publicKey));
const publish = (path: string) => {
	const archives = new Map([[path, { length: 1, hashes: { sha256: "a".repeat(64) } }]]);
	const signing = { keyring: keyringOf(trust.online), now: NOW };
	return metadata.transaction((tx) => publishTargets(tx, { archives }, signing));
};

const rootTwo = (
	change = (root: RootSigned) => root,
	signers = trust.root.slice(0, 2),
): Promise<Envelope<RootSigned>> => signNew(change(nextRoot(trust.signed.root.signed, LIFE)), signers);
const targetsTwo = async (
	change = (targets: TargetsSigned) => targets,
	signers: readonly SecretKey[] = trust.targets.slice(1),
) => ({
	metadata: await signNew(change(nextTargets(trust.signed.targets.signed, LIFE)), signers),
	documents: trust.documents,
});

describe("what goes live", () => {
	test("a later root: tuf-js walks from the first to it", async () => {
		await accept({ root: await rootTwo() });
		await publish("a/a-1.0.0.kfn");
		expect(await reader.listed("a/a-1.0.0.kfn")).toBeDefined();
		expect(reader.asked.map(({ path }) => path)).toContain("/metadata/2.root.json");
	});

	test("a signer added and another removed: the new ones sign the next root, the old root's keys signed this one", async () => {
		const fresh = await generateKeyPair();
		const change = (root: RootSigned) =>
			withoutSigner(withSigner(root, "root", { key: fresh.publicKey, threshold: 2 }), "root", {
				keyid: idOf(trust.root[2]!),
				threshold: 2,
			});
		const second = await rootTwo(change);
		await accept({ root: second });
		const third = await signNew(nextRoot(second.signed, LIFE), [fresh, trust.root[0]!]);
		await accept({ root: third });
		expect(await reader.read(PUBLISHERS_TARGET)).toBeDefined();
	});

	test("new online keys: snapshot and timestamp are theirs, and a client that had the old ones goes on", async () => {
		await publish("a/a-1.0.0.kfn");
		expect(await reader.listed("a/a-1.0.0.kfn")).toBeDefined();
		const next = await generateOnlineKeys();
		const online = { snapshot: next.snapshot.publicKey, timestamp: next.timestamp.publicKey };
		const both = keyringOf(trust.online, next);
		await accept({ root: await rootTwo((root) => withOnlineKeys(root, online)) }, both);
		await accept({ targets: await targetsTwo((targets) => withBinsKey(targets, next.bins.publicKey)) }, both);
		const stolen = keyringOf(trust.online);
		const archives = new Map([["a/a-6.6.6.kfn", { length: 1, hashes: { sha256: "6".repeat(64) } }]]);
		const theft = metadata.transaction((tx) =>
			publishTargets(tx, { archives }, { keyring: stolen, now: NOW }),
		);
		await expect(theft).rejects.toMatchObject({ code: "REGISTRY_KEYS_UNUSABLE" });
		expect(await reader.listed("a/a-1.0.0.kfn")).toBeDefined();
		expect(await reader.listed("a/a-6.6.6.kfn")).toBeUndefined();
	});

	test("a new authorisation map, read by clients at once", async () => {
		const documents = { ...trust.documents, [PUBLISHERS_TARGET]: serializePublishers({ publishers: [] }) };
		const { metadata: envelope } = await targetsTwo((targets) => withDocuments(targets, documents));
		await accept({ targets: { metadata: envelope, documents } });
		expect(Buffer.from((await reader.read(PUBLISHERS_TARGET))!)).toEqual(
			Buffer.from(documents[PUBLISHERS_TARGET]),
		);
	});

	test("with a log, nothing of what is published is looked through: publishers wait for as long as it takes", async () => {
		const offered = { root: await rootTwo() };
		const signing = { keyring: keyringOf(trust.online), now: NOW };
		const looked: PropertyKey[] = [];
		const watched = (tx: MetadataTransaction): MetadataTransaction =>
			new Proxy(tx, {
				get(target, property: keyof MetadataTransaction) {
					if (/Names|Version/.test(property)) looked.push(property);
					return (target[property] as (...args: unknown[]) => unknown).bind(target);
				},
			});
		await metadata.transaction((tx) => acceptMetadata(watched(tx), offered, signing));
		expect(looked).toEqual([]);
		expect(await reader.read(PUBLISHERS_TARGET)).toBeDefined();
	});

	test("a root that takes a targets signer away goes live with targets that the others signed, not without", async () => {
		// Signed by the first key of targets alone; the root removes that key.
		const change = (root: RootSigned) =>
			withoutSigner(root, "targets", { keyid: idOf(trust.targets[0]!), threshold: 1 });
		const root = await rootTwo(change);
		expect(await refusal(() => accept({ root }))).toBe("TRUST_SIGNATURES");
		await accept({ root, targets: await targetsTwo() });
		expect(await reader.read(PUBLISHERS_TARGET)).toBeDefined();
	});

	test("another number of bins: what was published is listed in the new ones, and older clients go on", async () => {
		const record: VersionRecord = {
			name: "alpha",
			version: "1.0.0",
			sha256: "a".repeat(64),
			size: 7,
			manifestSha256: "b".repeat(64),
			tag: `kfn1:${"c".repeat(64)}`,
			functionName: "flow-dissector",
			functionAbi: 1,
			requires: [],
			publishedAt: NOW.toISOString(),
			publishedBy: "x",
			yankedAt: null,
			yankReason: null,
			revision: 0,
		};
		await metadata.transaction(async (tx) => {
			await tx.insertVersion(record);
			await tx.insertStatement(PERMIT);
		});
		expect(await reader.read("alpha/index.json")).toBeUndefined();
		for (const count of [64, 4]) {
			const current = await metadata.read((reads) => reads.currentTrustFile("targets"));
			const content = { documents: trust.documents, bins: { count, key: trust.online.bins.publicKey } };
			const signed = { ...firstTargets(content, LIFE), version: (current?.version ?? 0) + 1 };
			const envelope = await signNew(signed, trust.targets);
			await accept({ targets: { metadata: envelope, documents: trust.documents } });
			expect(await reader.listed("alpha/alpha-1.0.0.kfn")).toMatchObject({ length: 7 });
			const index = JSON.parse(Buffer.from((await reader.read("alpha/index.json"))!).toString());
			expect(index).toMatchObject({
				name: "alpha",
				versions: [{ version: "1.0.0", log: { index: 4 } }],
			});
			const permits = JSON.parse(Buffer.from((await reader.read("alpha/permit.json"))!).toString());
			expect(permits).toMatchObject({ kind: "permit", name: "alpha", statements: [{ signatures: [] }] });
		}
	});
});

describe("what does not", () => {
	test.each<[string, string, () => Promise<Offered>]>([
		[
			"a root of one key of two",
			"TRUST_SIGNATURES",
			async () => ({ root: await rootTwo((root) => root, trust.root.slice(0, 1)) }),
		],
		[
			"a root that strangers made for themselves",
			"TRUST_SIGNATURES",
			async () => {
				const strangers = [await generateKeyPair(), await generateKeyPair()];
				const ids = strangers.map(idOf);
				const takeOver = (root: RootSigned): RootSigned => ({
					...root,
					keys: {
						...root.keys,
						...Object.fromEntries(strangers.map((key) => [idOf(key), tufKeyOf(key.publicKey)])),
					},
					roles: { ...root.roles, root: { keyids: ids, threshold: 2 } },
				});
				return { root: await rootTwo(takeOver, strangers) };
			},
		],
		[
			"a root that only the old keys signed",
			"TRUST_SIGNATURES",
			async () => {
				const fresh = await generateKeyPair();
				const change = (root: RootSigned) => withSigner(root, "root", { key: fresh.publicKey, threshold: 3 });
				return { root: await rootTwo(change) };
			},
		],
		[
			"a root that skips a version",
			"TRUST_ROLLBACK",
			async () => ({ root: await rootTwo((root) => ({ ...root, version: 3 })) }),
		],
		["the root that is live, again", "TRUST_ROLLBACK", async () => ({ root: trust.signed.root })],
		[
			"a root that has expired",
			"TRUST_EXPIRED",
			async () => ({ root: await rootTwo((root) => ({ ...root, expires: "2020-01-01T00:00:00Z" })) }),
		],
		[
			"a root with online keys that the registry lacks",
			"REGISTRY_KEYS_UNUSABLE",
			async () => {
				const next = await generateOnlineKeys();
				const online = { snapshot: next.snapshot.publicKey, timestamp: next.timestamp.publicKey };
				return { root: await rootTwo((root) => withOnlineKeys(root, online)) };
			},
		],
		[
			"targets of an online key",
			"TRUST_SIGNATURES",
			async () => ({ targets: await targetsTwo(undefined, [trust.online.bins]) }),
		],
		[
			"targets again",
			"TRUST_ROLLBACK",
			async () => ({ targets: { ...(await targetsTwo()), metadata: trust.signed.targets } }),
		],
		[
			"targets with other documents than they list",
			"TRUST_MISMATCH",
			async () => {
				const documents = {
					...trust.documents,
					[PUBLISHERS_TARGET]: serializePublishers({ publishers: [] }),
				};
				return { targets: { ...(await targetsTwo()), documents } };
			},
		],
		[
			"an authorisation map that nobody can read",
			"PUBLISHERS_MALFORMED",
			async () => {
				const documents = { ...trust.documents, [PUBLISHERS_TARGET]: new TextEncoder().encode("{}") };
				const { metadata: envelope } = await targetsTwo((targets) => withDocuments(targets, documents));
				return { targets: { metadata: envelope, documents } };
			},
		],
		[
			"targets that list an archive beside their documents",
			"TRUST_MISMATCH",
			async () => {
				const more = { "a/a-1.0.0.kfn": { length: 1, hashes: { sha256: "a".repeat(64) } } };
				return {
					targets: await targetsTwo((targets) => ({ ...targets, targets: { ...targets.targets, ...more } })),
				};
			},
		],
		[
			"targets without bins",
			"TRUST_MALFORMED",
			async () => ({ targets: await targetsTwo(({ delegations: _, ...targets }) => targets) }),
		],
	])("%s: %s, and nothing has changed", async (_what, code, offer) => {
		const offered = await offer();
		expect(await refusal(() => accept(offered))).toBe(code);
	});

	test("a root alone, or targets alone, where there is nothing yet", async () => {
		const empty = await store.openEmpty();
		const signing = { keyring: keyringOf(trust.online), now: NOW };
		const { root, targets } = trust.signed;
		for (const offered of [{ root }, { targets: { metadata: targets, documents: trust.documents } }]) {
			const attempt = empty.transaction((tx) => acceptMetadata(tx, offered, signing));
			await expect(attempt).rejects.toMatchObject({ code: "REGISTRY_NOT_INITIALISED" });
		}
		expect(await empty.read((reads) => reads.listRoles())).toEqual([]);
		await empty.close();
	});
});
