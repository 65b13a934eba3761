// The authorisation map changed in a real registry that has published bundles: what is lost is what hosts would refuse.
import { afterEach, beforeEach, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { testBundle } from "../testing/bundles.ts";
import { TestServer } from "../testing/server.ts";
import { testPublisher } from "../testing/trust.ts";
import type { PublishersResult } from "./ceremony.ts";
import { addPublisher, type Revocation, removePublisher, revokePublisher } from "./publisher-changes.ts";

let server: TestServer;
let old: SecretKey;
let fresh: SecretKey;
let signers: readonly SecretKey[];
beforeEach(async () => {
	server = await TestServer.start();
	signers = server.trust!.targets;
	old = await testPublisher();
	fresh = await generateKeyPair("fresh");
	const token = await server.token();
	for (const [name, version] of [
		["gro", "1.0.0"],
		["gro", "1.1.0"],
		["tso", "1.0.0"],
	]) {
		const { status } = await server.publish(await testBundle({ name: name!, version: version! }), token);
		expect(status).toBe(201);
	}
});
afterEach(() => server[Symbol.asyncDispose]());

const lost = ({ lost }: PublishersResult) =>
	lost.map(({ name, version, code }) => `${name} ${version} ${code}`).sort();
const ceremony = () => server.registry.ceremony;
const add = (name: string, threshold?: number) =>
	addPublisher(ceremony(), { name, threshold, keys: [fresh.publicKey] }, signers);
const revoke = (changes: Partial<Revocation> = {}) => {
	const request: Revocation = {
		name: "*",
		threshold: undefined,
		key: old.publicKey,
		reason: "stolen from a build machine",
		keep: [],
	};
	return revokePublisher(ceremony(), { ...request, ...changes }, signers);
};
const refusal = (code: string) => expect.objectContaining({ code });

test("another publisher for one name: what the old one signed of it is lost, and of nothing else", async () => {
	const result = await add("gro");
	expect(result.live).toMatchObject([{ role: "targets", version: 2 }]);
	expect(lost(result)).toEqual(["gro 1.0.0 SIGNATURE_UNKNOWN_KEY", "gro 1.1.0 SIGNATURE_UNKNOWN_KEY"]);
	expect(
		lost(await removePublisher(ceremony(), { name: "gro", threshold: undefined, key: undefined }, signers)),
	).toEqual([]);
});

test("one more key for the same names loses nothing, a higher threshold does", async () => {
	expect(lost(await add("*"))).toEqual([]);
	expect(lost(await add("*", 2))).toHaveLength(3);
});

test("a stolen key is revoked after its successor was added; the versions that are kept go on", async () => {
	await expect(revoke()).rejects.toEqual(refusal("REGISTRY_PUBLISHER_THRESHOLD"));
	await add("*");
	const result = await revoke({ keep: [{ name: "gro", version: "1.0.0" }] });
	expect(lost(result)).toEqual(["gro 1.1.0 SIGNATURE_REVOKED_KEY", "tso 1.0.0 SIGNATURE_REVOKED_KEY"]);
	const { live } = await ceremony().publishers();
	expect(live.publishers[0]).toMatchObject({
		keys: [{ keyid: fresh.publicKey.keyid }],
		revoked: [{ key: { keyid: old.publicKey.keyid }, reason: "stolen from a build machine" }],
	});
	// A version that was forgotten then can be taken back in.
	const again = await revoke({
		keep: [
			{ name: "gro", version: "1.0.0" },
			{ name: "tso", version: "1.0.0" },
		],
	});
	expect(lost(again)).toEqual([]);
	expect((await ceremony().publishers()).live.publishers[0]!.revoked![0]!.manifests).toHaveLength(2);
});

test("a key that retires loses nothing that is published", async () => {
	await add("*");
	const result = await revoke({ keep: "all-published", reason: "replaced every year" });
	expect(lost(result)).toEqual([]);
	expect((await ceremony().publishers()).live.publishers[0]!.revoked![0]!.manifests).toHaveLength(3);
});

test("one name of a wider entry: the key goes on for the others", async () => {
	await addPublisher(
		ceremony(),
		{ name: "gro", threshold: 1, keys: [old.publicKey, fresh.publicKey] },
		signers,
	);
	expect(lost(await revoke({ name: "gro" }))).toEqual([
		"gro 1.0.0 SIGNATURE_REVOKED_KEY",
		"gro 1.1.0 SIGNATURE_REVOKED_KEY",
	]);
});

test("what cannot be meant is refused, and changes nothing", async () => {
	await add("*");
	const keep = (name: string, version: string) => revoke({ keep: [{ name, version }] });
	await expect(keep("gro", "9.0.0")).rejects.toEqual(refusal("REGISTRY_KEEP_UNKNOWN"));
	await expect(revoke({ key: fresh.publicKey, keep: [{ name: "gro", version: "1.0.0" }] })).rejects.toEqual(
		refusal("REGISTRY_KEEP_UNKNOWN"),
	);
	await expect(revoke({ name: "tso" })).rejects.toEqual(refusal("REGISTRY_PUBLISHER_UNKNOWN"));
	await expect(revoke({ reason: "" })).rejects.toEqual(refusal("PUBLISHERS_MALFORMED"));
	const remove = (name: string, key = fresh.publicKey) =>
		removePublisher(ceremony(), { name, threshold: undefined, key }, signers);
	await expect(remove("tso")).rejects.toEqual(refusal("REGISTRY_PUBLISHER_UNKNOWN"));
	await expect(add("not a name")).rejects.toEqual(refusal("PUBLISHERS_MALFORMED"));
	await expect(add("*", 3)).rejects.toEqual(refusal("REGISTRY_PUBLISHER_THRESHOLD"));
	const { live, waiting } = await ceremony().publishers();
	expect([live.publishers[0]!.keys.length, waiting]).toEqual([2, undefined]);
});
