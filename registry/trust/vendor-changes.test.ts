// The map of vendors changed in a real registry: a draft of targets like every change of who may sign what, logged once it is live.

import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { parseLogEntry } from "#signing/log/entry.ts";
import { differences } from "#signing/tuf/draft-difference.ts";
import { nextTargets, VENDORS_TARGET, withDocuments } from "#signing/tuf/next-targets.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { TestServer } from "../testing/server.ts";
import { acceptMetadata } from "./accept.ts";
import { keyringOf } from "./online-keys.ts";
import { readStaged } from "./staged-drafts.ts";
import { addVendor, removeVendor, type VendorRequest } from "./vendor-changes.ts";

const PCI: VendorRequest = { bus: "pci", vendor: "e9a1", devices: "all", threshold: undefined };

let server: TestServer;
let ann: SecretKey;
let bob: SecretKey;
let signers: readonly SecretKey[];
beforeEach(async () => {
	server = await TestServer.start();
	signers = server.trust!.targets;
	[ann, bob] = await Promise.all([generateKeyPair("ann"), generateKeyPair("bob")]);
});
afterEach(() => server[Symbol.asyncDispose]());

const ceremony = () => server.registry.ceremony;
const add = (change: Partial<VendorRequest> = {}, secrets = signers, key = ann) =>
	addVendor(ceremony(), { ...PCI, ...change, issuer: "example", keys: [key.publicKey] }, secrets);
const remove = (change: Partial<VendorRequest> & { key?: SecretKey } = {}) =>
	removeVendor(ceremony(), { ...PCI, ...change, key: change.key?.publicKey }, signers);
const live = async () => (await ceremony().vendors()).live.vendors;
const refusal = (code: string) => expect.objectContaining({ code });

test("a registry has no map of vendors until the first is added; then it is served, listed and logged", async () => {
	expect(await ceremony().vendors()).toEqual({ live: { vendors: [] }, waiting: undefined });
	expect(await server.locate(VENDORS_TARGET)).toBeUndefined();
	const result = await add();
	expect(result.live).toMatchObject([{ role: "targets", version: 2 }]);
	expect(await live()).toMatchObject([{ issuer: "example", devices: "all", threshold: 1 }]);
	const located = await server.locate(VENDORS_TARGET);
	expect(JSON.parse(Buffer.from((await server.request(located!)).body).toString())).toMatchObject({
		schema: "kfn.vendors/1",
		vendors: [{ vendor: "e9a1" }],
	});
	await remove();
	expect(await live()).toEqual([]);
	const store = await openSqliteMetadataStore(join(server.dataDir, "registry.sqlite"));
	const types = (await store.read((reads) => reads.listLogEntries(0, 100))).map(parseLogEntry);
	await store.close();
	expect(types.map(({ type }) => type).filter((type) => type === "vendors")).toHaveLength(2);
});

test("where the keys are not at hand it waits as a draft, which shows every key and threshold", async () => {
	const { waiting } = await add({ devices: ["1001"] }, []);
	expect(waiting).toHaveLength(1);
	expect(await ceremony().vendors()).toMatchObject({
		live: { vendors: [] },
		waiting: { vendors: [{ devices: ["1001"] }] },
	});
	await add({ devices: ["1001"], threshold: 2 }, [], bob);
	const { targets } = await readStaged(server.dataDir);
	const shown = differences(targets!).filter(({ what }) => what.startsWith("kfn/vendors.json pci"));
	expect(shown.map(({ what, after }) => [what, after])).toEqual([
		["kfn/vendors.json pci e9a1:1001.issuer", "example"],
		["kfn/vendors.json pci e9a1:1001.threshold", "2"],
		[`kfn/vendors.json pci e9a1:1001.key ${ann.publicKey.keyid}`, "may sign (ann)"],
		[`kfn/vendors.json pci e9a1:1001.key ${bob.publicKey.keyid}`, "may sign (bob)"],
	]);
});

test("what cannot be meant is refused, and changes nothing", async () => {
	await add();
	await expect(add({ threshold: 2 })).rejects.toEqual(refusal("REGISTRY_VENDOR_THRESHOLD"));
	await expect(add({ vendor: "0xe9a1" })).rejects.toEqual(refusal("VENDORS_MALFORMED"));
	await expect(remove({ vendor: "15b3" })).rejects.toEqual(refusal("REGISTRY_VENDOR_UNKNOWN"));
	await expect(remove({ key: bob })).rejects.toEqual(refusal("REGISTRY_VENDOR_UNKNOWN"));
	await add({ threshold: 2 }, signers, bob);
	await expect(remove({ key: ann })).rejects.toEqual(refusal("REGISTRY_VENDOR_THRESHOLD"));
	expect(await live()).toMatchObject([{ threshold: 2, keys: [{}, {}] }]);
	await remove({ key: ann, threshold: 1 });
	expect(await live()).toMatchObject([{ threshold: 1, keys: [{ keyid: bob.publicKey.keyid }] }]);
});

test("attack: targets that leave the map out, so that the registry would go on by one that no host sees", async () => {
	await add();
	const { documents } = server.trust!;
	const store = await openSqliteMetadataStore(join(server.dataDir, "registry.sqlite"));
	try {
		const now = new Date();
		const file = await store.read((reads) => reads.currentTrustFile("targets"));
		const { signed } = JSON.parse(Buffer.from(file!.bytes).toString());
		const next = withDocuments(nextTargets(signed, { now, days: 30 }), documents);
		const offered = { targets: { metadata: await signNew(next, signers), documents } };
		const signing = { keyring: keyringOf(server.trust!.online), now };
		await expect(store.transaction((tx) => acceptMetadata(tx, offered, signing))).rejects.toEqual(
			refusal("TRUST_MISMATCH"),
		);
	} finally {
		await store.close();
	}
});
