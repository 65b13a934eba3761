// Attacks on a host's reading of its registry, by name: what the wrong keys signed, what a thief of the right ones can list, and
// the way back. Against the real server, by a real HTTP server in between.

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readTrustState } from "#host/trust-state/state.ts";
import { paths } from "#registry/api/wire.ts";
import { type TestBundle, testBundle } from "#registry/testing/bundles.ts";
import { generateKeyPair } from "#signing/ed25519.ts";
import { parsePublishers, serializePublishers } from "#signing/publishers.ts";
import { binOf } from "#signing/tuf/bins.ts";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { parseEnvelope, serializeEnvelope } from "#signing/tuf/metadata.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { serializeVendors } from "#signing/vendors.ts";
import { Forger, forge } from "../harness/forgery.ts";
import { fromServer, type LyingMirror } from "../harness/lying-mirror.ts";
import type { TestRegistry } from "../harness/registry.ts";
import { outcome } from "../harness/trust-world.ts";
import {
	BIN,
	listed,
	openAttackedRegistry,
	SHAPE,
	type Victim,
	versionIn,
	victim as victimOf,
} from "./registry-world.ts";

let registry: TestRegistry;
let bundles: readonly TestBundle[];
beforeAll(async () => {
	({ registry, bundles } = await openAttackedRegistry());
});
afterAll(() => registry[Symbol.asyncDispose]());

const victim = (): Promise<Victim> => victimOf(registry);
const code = (work: Promise<unknown>) => outcome(work);

describe("wrong threshold", () => {
	test("a root that fewer than its old keys signed, and one that fewer than its new keys signed", async () => {
		const { mirror, open } = await victim();
		const { root, rootBytes } = registry.trust;
		const next = (signers: typeof root) =>
			forge(rootBytes, "root", signers, (signed) => ({ ...signed, version: 2 }));
		mirror.lie("v1/metadata/2.root.json", await next(root.slice(0, 1)));
		expect(await code(open())).toBe("TRUST_SIGNATURES");
		const fresh = await generateKeyPair();
		const id = tufKeyId(tufKeyOf(fresh.publicKey));
		const takeover = await forge(rootBytes, "root", [fresh, root[0]!], (signed) => ({
			...signed,
			version: 2,
			keys: { ...signed.keys, [id]: tufKeyOf(fresh.publicKey) },
			roles: { ...signed.roles, root: { keyids: [id], threshold: 1 } },
		}));
		mirror.lie("v1/metadata/2.root.json", takeover);
		expect(await code(open())).toBe("TRUST_SIGNATURES");
	});

	test("targets that the online keys signed", async () => {
		const { forger, mirror, open } = await victim();
		const { snapshot } = registry.trust.online;
		const forged = await forge(await forger.file("1.targets.json"), "targets", [snapshot], (signed) => ({
			...signed,
			version: 2,
		}));
		mirror.lie("v1/metadata/2.targets.json", forged);
		await forger.snapshot((signed) => ({
			...signed,
			meta: { ...signed.meta, "targets.json": { version: 2 } },
		}));
		expect(await code(open())).toBe("TRUST_SIGNATURES");
	});

	test("duplicate signature: one key's, twice, under a threshold of two", async () => {
		const { mirror, open } = await victim();
		const { root, rootBytes } = registry.trust;
		const once = await forge(rootBytes, "root", root.slice(0, 1), (signed) => ({ ...signed, version: 2 }));
		const file = JSON.parse(Buffer.from(once).toString());
		file.signatures = [file.signatures[0], file.signatures[0]];
		mirror.lie("v1/metadata/2.root.json", Buffer.from(JSON.stringify(file)));
		expect(await code(open())).toBe("TRUST_MALFORMED");
		// The same key under a second id: two signers to whoever counts ids.
		const twin = "0".repeat(64) as ReturnType<typeof tufKeyId>;
		const own = tufKeyId(tufKeyOf(root[0]!.publicKey));
		const { signed } = parseEnvelope(rootBytes, "root");
		const two = await signNew(
			{ ...signed, version: 2, keys: { ...signed.keys, [twin]: signed.keys[own]! } },
			root.slice(0, 2),
		);
		const doubled = {
			...two.signed,
			roles: { ...two.signed.roles, root: { keyids: [own, twin], threshold: 2 } },
		};
		const envelope = await signNew(doubled, root.slice(0, 2));
		const own2 = envelope.signatures.find(({ keyid }) => keyid === own)!;
		const signatures = [...envelope.signatures, { keyid: twin, sig: own2.sig }];
		mirror.lie("v1/metadata/2.root.json", serializeEnvelope({ ...envelope, signatures }));
		expect(await code(open())).toBe("TRUST_KEY_POLICY");
	});
});

describe("fast-forward recovery", () => {
	/** What the root's signers do after the theft: other online keys, with which the registry signs as it stands. */
	async function newOnlineKeys(mirror: LyingMirror): Promise<void> {
		const { root, rootBytes } = registry.trust;
		const [snapshot, timestamp] = [await generateKeyPair(), await generateKeyPair()];
		const ids = [snapshot, timestamp].map(({ publicKey }) => tufKeyId(tufKeyOf(publicKey)));
		const recovered = await forge(rootBytes, "root", root.slice(0, 2), (signed) => ({
			...signed,
			version: 2,
			keys: {
				...signed.keys,
				[ids[0]!]: tufKeyOf(snapshot.publicKey),
				[ids[1]!]: tufKeyOf(timestamp.publicKey),
			},
			roles: {
				...signed.roles,
				snapshot: { keyids: [ids[0]!], threshold: 1 },
				timestamp: { keyids: [ids[1]!], threshold: 1 },
			},
		}));
		mirror.honest();
		mirror.lie("v1/metadata/2.root.json", recovered);
		const keys = { ...registry.trust.online, snapshot, timestamp };
		await new Forger(mirror, fromServer(registry.url), keys).snapshot((signed) => signed);
	}

	test("after a thief counted to the end, new online keys make the registry readable again", async () => {
		const { forger, host, mirror, open } = await victim();
		await forger.snapshot((signed) => ({ ...signed, version: 900_000 }));
		await open();
		mirror.honest();
		expect(await code(open())).toBe("TRUST_ROLLBACK");
		await newOnlineKeys(mirror);
		await open();
		expect(readTrustState(host).mark.roles.snapshot!.version).toBeLessThan(900_000);
	});

	test("after a thief listed a version that nobody published, they make its index readable again", async () => {
		const { forger, mirror, open } = await victim();
		const version = versionIn(BIN);
		await listed(registry, forger, mirror, await testBundle({ version }));
		expect((await (await open()).index("sample")).versions[0]!.version).toBe(version);
		await newOnlineKeys(mirror);
		expect((await (await open()).index("sample")).versions[0]!.version).toBe("1.1.0");
	});
});

test("expired root chain: the walk goes through an expired root, and does not end at one", async () => {
	const { mirror, open } = await victim();
	const { root, rootBytes } = registry.trust;
	const past = await forge(rootBytes, "root", root, (signed) => ({
		...signed,
		version: 2,
		expires: "2020-01-01T00:00:00Z",
	}));
	mirror.lie("v1/metadata/2.root.json", past);
	expect(await code(open())).toBe("TRUST_EXPIRED");
	mirror.lie(
		"v1/metadata/3.root.json",
		await forge(rootBytes, "root", root, (signed) => ({ ...signed, version: 3 })),
	);
	await open();
});

describe("arbitrary bundle", () => {
	test("other bytes in an archive's place", async () => {
		const { mirror, open } = await victim();
		const source = await open();
		const { sha256, size } = (await source.index("sample")).versions[0]!;
		mirror.lie(bundles[1]!.path.slice(1), Buffer.alloc(size));
		expect(await code(source.blob(sha256, size))).toBe("TRUST_MISMATCH");
	});

	test("a bundle that a thief of all online keys lists: no publisher of its name signed it", async () => {
		const { forger, mirror, open } = await victim();
		const version = versionIn(BIN);
		const evil = await testBundle({ version, signers: [await generateKeyPair()] });
		mirror.lie(evil.path.slice(1), evil.archive);
		await listed(registry, forger, mirror, evil);
		const source = await open();
		const newest = (await source.index("sample")).versions[0]!;
		expect(newest.version).toBe(version);
		const { sha256, size } = newest;
		expect(await code(source.blob(sha256, size))).toBe("SIGNATURE_UNKNOWN_KEY");
	});
});

test("a stolen bins key: a map of publishers that it lists is not the registry's", async () => {
	const { forger, mirror, open } = await victim();
	const thief = (await generateKeyPair()).publicKey;
	const map = serializePublishers({ publishers: [{ names: ["*"], threshold: 1, keys: [thief] }] });
	const sha256 = createHash("sha256").update(map).digest("hex");
	mirror.lie(paths.target("kfn/publishers.json", sha256).slice(1), map);
	await forger.bin(binOf("kfn/publishers.json", SHAPE), (signed) => ({
		...signed,
		targets: { ...signed.targets, "kfn/publishers.json": { length: map.byteLength, hashes: { sha256 } } },
	}));
	const { set } = await open();
	expect(Buffer.from(set.files.get("publishers.json")!)).toEqual(
		Buffer.from(registry.trust.documents["kfn/publishers.json"]),
	);
});

test("a stolen bins key: a map of vendors that it lists is nobody's, where the registry has none", async () => {
	const { forger, mirror, open } = await victim();
	const thief = (await generateKeyPair()).publicKey;
	const hardware = { issuer: "thief", bus: "pci", vendor: "8086", devices: "all" } as const;
	const map = serializeVendors({ vendors: [{ ...hardware, threshold: 1, keys: [thief] }] });
	const sha256 = createHash("sha256").update(map).digest("hex");
	mirror.lie(paths.target("kfn/vendors.json", sha256).slice(1), map);
	await forger.bin(binOf("kfn/vendors.json", SHAPE), (signed) => ({
		...signed,
		targets: { ...signed.targets, "kfn/vendors.json": { length: map.byteLength, hashes: { sha256 } } },
	}));
	const { set } = await open();
	expect(set.files.has("registry.json")).toBe(true);
	expect(set.files.has("vendors.json")).toBe(false);
});

describe("revoked publisher", () => {
	/** The targets signers' next map: another key, and the old one revoked but for `manifests`. */
	async function revoke({ mirror, forger }: Victim, manifests: readonly string[]): Promise<void> {
		const { targets, documents } = registry.trust;
		const [entry] = parsePublishers(documents["kfn/publishers.json"]).publishers;
		const revoked = [{ key: entry!.keys[0]!, reason: "lost with a laptop", manifests }];
		const next = { ...entry!, keys: [(await generateKeyPair()).publicKey], revoked };
		const map = serializePublishers({ publishers: [next] });
		const sha256 = createHash("sha256").update(map).digest("hex");
		mirror.lie(paths.target("kfn/publishers.json", sha256).slice(1), map);
		const file = { length: map.byteLength, hashes: { sha256 } };
		const signed = await forge(await forger.file("1.targets.json"), "targets", targets, (before) => ({
			...before,
			version: 2,
			targets: { ...before.targets, "kfn/publishers.json": file },
		}));
		mirror.lie("v1/metadata/2.targets.json", signed);
		await forger.snapshot((before) => ({
			...before,
			meta: { ...before.meta, "targets.json": { version: 2 } },
		}));
	}

	test("what its key signed is refused on a host that read it before, unless the map lists it", async () => {
		const world = await victim();
		const before = await world.open();
		const { sha256, size, manifestSha256 } = (await before.index("sample")).versions[0]!;
		await before.blob(sha256, size);
		await revoke(world, []);
		const after = await world.open();
		await after.index("sample");
		expect(await code(after.blob(sha256, size))).toBe("SIGNATURE_REVOKED_KEY");
		const other = await victim();
		await revoke(other, [manifestSha256]);
		const kept = await other.open();
		await kept.index("sample");
		expect(Buffer.from(await kept.blob(sha256, size))).toEqual(Buffer.from(bundles[1]!.archive));
	});
});
