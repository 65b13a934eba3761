// What the online keys sign, read by tuf-js from the real store: publishing touches what it must and nothing else.
import { afterEach, beforeEach, expect, test } from "vitest";
import { generateKeyPair } from "#signing/ed25519.ts";
import { binOf } from "#signing/tuf/bins.ts";
import { parseEnvelope, type TargetFile } from "#signing/tuf/metadata.ts";
import type { MetadataStore, RoleRecord } from "../ports/metadata-store.ts";
import type { StoreReader } from "../testing/store-reader.ts";
import type { TestTrust } from "../testing/trust.ts";
import { openTrustedStore, type TrustedStore } from "../testing/trusted-store.ts";
import { generateOnlineKeys, keyringOf } from "./online-keys.ts";
import { publishTargets, readLiveTrust, type TargetChanges } from "./repository.ts";

let store: TrustedStore;
let metadata: MetadataStore;
let trust: TestTrust;
let reader: StoreReader;
beforeEach(async () => {
	store = await openTrustedStore();
	({ metadata, trust, reader } = store);
});
afterEach(() => store[Symbol.asyncDispose]());

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const file = (digit: string): TargetFile => ({ length: 7, hashes: { sha256: digit.repeat(64) } });
const publish = (changes: TargetChanges, now = new Date()) =>
	metadata.transaction((tx) => publishTargets(tx, changes, { keyring: keyringOf(trust.online), now }));
const versions = async (): Promise<Map<string, number>> => {
	const roles = await metadata.read((reads) => reads.listRoles());
	return new Map(roles.map(({ role, version }: RoleRecord) => [role, version]));
};

test("a new registry: tuf-js verifies all of it, and finds nothing but the two signed documents", async () => {
	expect((await versions()).size).toBe(4 + 16);
	expect(new Set((await versions()).values())).toEqual(new Set([1]));
	for (const [path, bytes] of Object.entries(trust.documents)) {
		expect(Buffer.from((await reader.read(path))!)).toEqual(Buffer.from(bytes));
	}
	expect(await reader.read("sample/index.json")).toBeUndefined();
});

test("what is published is listed, what is taken off is not, and the rest of its bin stays", async () => {
	const paths = Array.from({ length: 40 }, (_, n) => `name-${n}/name-${n}-1.0.0.kfn`);
	await publish({ archives: new Map(paths.map((path) => [path, file("a")])) });
	await publish({ archives: new Map([[paths[7]!, null]]) });
	await publish({ archives: new Map([[paths[8]!, { ...file("b"), custom: { kfn: { tag: "t" } } }]]) });
	for (const [n, path] of paths.entries()) {
		const expected = { length: 7, hashes: file(n === 8 ? "b" : "a").hashes };
		if (n === 7) expect(await reader.listed(path)).toBeUndefined();
		else expect(await reader.listed(path)).toMatchObject(expected);
	}
	expect((await reader.listed(paths[8]!))?.custom).toEqual({ kfn: { tag: "t" } });
});

test("one archive and its index: at most two bins, the snapshot and the timestamp are signed, nothing else", async () => {
	const before = await versions();
	const index = { path: "sample/index.json", bytes: utf8("{}") };
	const archive = "sample/sample-1.0.0.kfn";
	await publish({ archives: new Map([[archive, file("a")]]), documents: [index] });
	const changed = [...(await versions())].filter(([role, version]) => before.get(role) !== version);
	const { bins } = await metadata.read(readLiveTrust);
	const dirty = new Set([binOf(archive, bins), binOf(index.path, bins)]);
	expect(changed.map(([role]) => role).sort()).toEqual([...dirty, "snapshot", "timestamp"].sort());
	expect(changed.every(([, version]) => version === 2)).toBe(true);
	expect(Buffer.from((await reader.read(index.path))!).toString()).toBe("{}");
});

test("a client that has the older timestamp finishes with it for a day; then the older files are gone", async () => {
	const start = Date.now();
	const at = (hours: number) => new Date(start + hours * 3_600_000);
	const put = (text: string, now: Date) =>
		publish({ documents: [{ path: "sample/index.json", bytes: utf8(text) }] }, now);
	await put("first", at(1));
	const { hashes } = (await reader.listed("sample/index.json"))!;
	await put("second", at(2));
	const first = () => metadata.read((reads) => reads.findDocument("sample/index.json", hashes["sha256"]!));
	const snapshot = () => metadata.read((reads) => reads.findTrustFile("snapshot", 2));
	await put("third", at(25));
	expect(await first()).toBeDefined();
	expect(await snapshot()).toBeDefined();
	await put("fourth", at(27));
	expect(await first()).toBeUndefined();
	expect(await snapshot()).toBeUndefined();
});

test("metadata says when it expires: a day for the timestamp, a week for the snapshot, 90 days for bins", async () => {
	const roles = await metadata.read((reads) => reads.listRoles());
	const days = (role: string) => {
		const expires = roles.find((record) => record.role === role)?.expires ?? "";
		return Math.round((Date.parse(expires) - Date.now()) / 86_400_000);
	};
	expect(["root", "targets", "bin-0", "snapshot", "timestamp"].map(days)).toEqual([365, 180, 90, 7, 1]);
});

test("the stored expiry and version are the file's own", async () => {
	await publish({ archives: new Map([["a/a-1.0.0.kfn", file("a")]]) });
	await metadata.read(async (reads) => {
		for (const { role, version, expires } of await reads.listRoles()) {
			const kind = role.startsWith("bin-") ? "targets" : (role as "root");
			const { signed } = parseEnvelope((await reads.currentTrustFile(role))!.bytes, kind);
			expect([signed.version, signed.expires]).toEqual([version, expires]);
		}
	});
});

test("keys that the metadata does not name sign nothing", async () => {
	const before = await versions();
	const keyring = keyringOf(await generateOnlineKeys());
	const changes = { archives: new Map([["a/a-1.0.0.kfn", file("a")]]) };
	const attempt = metadata.transaction((tx) => publishTargets(tx, changes, { keyring, now: new Date() }));
	await expect(attempt).rejects.toMatchObject({ code: "REGISTRY_KEYS_UNUSABLE" });
	expect(await versions()).toEqual(before);
});

test("a store without trust metadata is not signed for", async () => {
	const empty = await store.openEmpty();
	const signing = { keyring: keyringOf(trust.online), now: new Date() };
	const attempt = empty.transaction((tx) => publishTargets(tx, {}, signing));
	await expect(attempt).rejects.toMatchObject({ code: "REGISTRY_NOT_INITIALISED" });
	await empty.close();
});

test("of two publishes at once, neither is lost", async () => {
	const paths = Array.from({ length: 10 }, (_, n) => `a/a-${n}.0.0.kfn`);
	const other = await store.openAgain();
	const signing = { keyring: keyringOf(trust.online), now: new Date() };
	await Promise.all(
		paths.map((path, n) =>
			(n % 2 === 0 ? metadata : other).transaction((tx) =>
				publishTargets(tx, { archives: new Map([[path, file("c")]]) }, signing),
			),
		),
	);
	await other.close();
	for (const path of paths) expect(await reader.listed(path)).toBeDefined();
	expect((await versions()).get("timestamp")).toBe(11);
});

test("an online key that signs for one role does not sign for another", async () => {
	const { bins, snapshot, timestamp, log } = trust.online;
	expect(new Set([bins, snapshot, timestamp, log].map(({ publicKey }) => publicKey.keyid)).size).toBe(4);
	const live = await metadata.read(readLiveTrust);
	const named = [live.root.roles.snapshot, live.root.roles.timestamp, live.bins].flatMap(
		({ keyids }) => keyids,
	);
	expect(new Set(named).size).toBe(3);
	expect(keyringOf(trust.online)((await generateKeyPair()).publicKey.keyid as never)).toBeUndefined();
});
