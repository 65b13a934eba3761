// Attacks on a host's reading of its registry, by name, against the real server: its real files are replayed, withheld, mixed
// and forged with its real stolen keys, by a real HTTP server in between.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { httpReader } from "#cli/client/registry-fetch.ts";
import { type TrustedSource, trustedSource } from "#cli/client/trusted-source.ts";
import { type Host, openHost } from "#host/host.ts";
import { withLock } from "#host/lock.ts";
import { raiseFloor } from "#host/trust-state/floors.ts";
import { readTrustState } from "#host/trust-state/state.ts";
import { paths } from "#registry/api/wire.ts";
import { type TestBundle, testBundle } from "#registry/testing/bundles.ts";
import { generateKeyPair } from "#signing/ed25519.ts";
import { parsePublishers, serializePublishers } from "#signing/publishers.ts";
import { binOf, bitLengthOf } from "#signing/tuf/bins.ts";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { parseEnvelope, serializeEnvelope } from "#signing/tuf/metadata.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { FakeKernel, fakeLoader, fakeNamespaces } from "../harness/fake-kfn-load.ts";
import { Forger, forge } from "../harness/forgery.ts";
import { fromFiles, fromServer, type LyingMirror, openLyingMirror } from "../harness/lying-mirror.ts";
import { openTestRegistry, type TestRegistry } from "../harness/registry.ts";
import { outcome, pin } from "../harness/trust-world.ts";

/** Of a test registry. */
const SHAPE = { bit_length: bitLengthOf(16), name_prefix: "bin" };
const BIN = binOf("sample/index.json", SHAPE);
const PACE = { totalMs: 30_000, graceMs: 200, bytesPerSecond: 1_000_000 };

let registry: TestRegistry;
let bundles: TestBundle[];
/** What the registry served when it had 1.0.0 alone. */
let older: Map<string, Uint8Array>;

beforeAll(async () => {
	registry = await openTestRegistry();
	bundles = [await testBundle({ version: "1.0.0" }), await testBundle({ version: "1.1.0" })];
	await publish(bundles[0]!);
	older = await everything();
	await publish(bundles[1]!);
});
afterAll(() => registry[Symbol.asyncDispose]());

async function publish({ name, version, archive }: TestBundle): Promise<void> {
	const { statusCode, body } = await request(`${registry.url}${paths.bundle(name, version)}`, {
		method: "PUT",
		headers: { authorization: `Bearer ${registry.token}`, "content-type": "application/vnd.kfn.bundle" },
		body: archive,
	});
	if (statusCode !== 201) throw new Error(`publish: ${statusCode} ${await body.text()}`);
	await body.dump();
}

/** All files that a host could ask for now, but the archives. */
async function everything(): Promise<Map<string, Uint8Array>> {
	const files = new Map<string, Uint8Array>();
	const upstream = fromServer(registry.url);
	const take = async (path: string) => {
		const bytes = await upstream(path);
		if (bytes !== undefined) files.set(path, bytes);
		return bytes!;
	};
	const { signed } = parseEnvelope(await take("v1/metadata/timestamp.json"), "timestamp");
	const { version } = signed.meta["snapshot.json"];
	const snapshot = parseEnvelope(await take(`v1/metadata/${version}.snapshot.json`), "snapshot").signed;
	for (const [name, meta] of Object.entries(snapshot.meta)) await take(`v1/metadata/${meta.version}.${name}`);
	for (const bytes of [...files.values()]) {
		const file = JSON.parse(Buffer.from(bytes).toString()) as { signed: { targets?: object } };
		for (const [path, { hashes }] of Object.entries(file.signed.targets ?? {}) as [
			string,
			{ hashes: { sha256: string } },
		][]) {
			await take(paths.target(path, hashes.sha256).slice(1));
		}
	}
	await take("v1/log/checkpoint");
	return files;
}

interface Victim {
	readonly host: Host;
	readonly mirror: LyingMirror;
	readonly forger: Forger;
	/** Refreshes through the mirror. */
	open(): Promise<TrustedSource>;
	/** Days by which the host's clock is ahead. */
	ahead: number;
}

/** A host that has pinned the registry's root and reads it through a mirror that a test makes lie. */
async function victim(): Promise<Victim> {
	const root = mkdtempSync(join(tmpdir(), "kfn-victim-"));
	onTestFinished(() => rmSync(root, { recursive: true, force: true }));
	pin(root, registry.trust.rootBytes);
	const kernel = FakeKernel.boot(root);
	const mirror = await openLyingMirror(fromServer(registry.url));
	onTestFinished(() => mirror[Symbol.asyncDispose]());
	const now = () => new Date(Date.now() + self.ahead * 86_400_000);
	const host = openHost({ root, loader: fakeLoader(kernel), namespaces: fakeNamespaces(kernel), now });
	const options = {
		base: mirror.url,
		token: undefined,
		signal: new AbortController().signal,
		userAgent: "kfn/test",
	};
	const self: Victim = {
		host,
		mirror,
		forger: new Forger(mirror, fromServer(registry.url), registry.trust.online),
		open: () => trustedSource(host, httpReader(options, PACE)),
		ahead: 0,
	};
	return self;
}

const code = (work: Promise<unknown>) => outcome(work);

test("an honest mirror: the newest version's exact bytes", async () => {
	const source = await (await victim()).open();
	const index = await source.index("sample");
	expect(index.versions.map(({ version }) => version)).toEqual(["1.1.0", "1.0.0"]);
	const { sha256, size } = index.versions[0]!;
	expect(Buffer.from(await source.blob(sha256, size))).toEqual(Buffer.from(bundles[1]!.archive));
	expect(await code(source.index("nothing"))).toBe("TRUST_NO_TARGET");
});

describe("rollback", () => {
	test("of everything: the registry as it was", async () => {
		const { mirror, open } = await victim();
		await open();
		mirror.serve(fromFiles(older));
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of the timestamp, by a thief of its key", async () => {
		const { forger, open } = await victim();
		await open();
		await forger.timestamp((signed) => ({ ...signed, version: 1 }));
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of the snapshot, by a thief of the timestamp's key", async () => {
		const { forger, open } = await victim();
		await open();
		const meta = { "snapshot.json": { version: 1 } };
		await forger.timestamp((signed) => ({ ...signed, version: signed.version + 1, meta }));
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test.each([BIN, "bin-0"])("of %s, by a thief of the snapshot's and timestamp's keys", async (bin) => {
		const { forger, open } = await victim();
		await open();
		await forger.snapshot((signed) => {
			const meta = { ...signed.meta };
			if (bin === BIN) meta[`${bin}.json`] = { version: 1 };
			else delete meta[`${bin}.json`];
			return { ...signed, meta };
		});
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of targets, by a thief of all online keys", async () => {
		const { forger, mirror, open } = await victim();
		const { root, targets } = registry.trust;
		const first = await forger.file("1.targets.json");
		// The offline signers have signed a second version, which the host has seen.
		mirror.lie(
			"v1/metadata/2.targets.json",
			await forge(first, "targets", targets, (signed) => ({ ...signed, version: 2 })),
		);
		await forger.snapshot((signed) => ({
			...signed,
			meta: { ...signed.meta, "targets.json": { version: 2 } },
		}));
		await open();
		await forger.snapshot((signed) => ({ ...signed, version: signed.version + 1 }));
		await bump(forger, 2);
		expect(await code(open())).toBe("TRUST_ROLLBACK");
		expect(root).toHaveLength(3);
	});

	test("of the root: an old one under the next one's name", async () => {
		const { mirror, open } = await victim();
		mirror.lie("v1/metadata/2.root.json", registry.trust.rootBytes);
		expect(await code(open())).toBe("TRUST_ROLLBACK");
	});

	test("of one bundle's index, by a thief of all online keys", async () => {
		const { forger, mirror, open } = await victim();
		const source = await open();
		await source.index("sample");
		const before = [...older].find(([path]) => path.endsWith(".index.json"))!;
		const sha256 = createHash("sha256").update(before[1]).digest("hex");
		mirror.lie(before[0], before[1]);
		await forger.bin(BIN, (signed) => ({
			...signed,
			targets: {
				...signed.targets,
				"sample/index.json": { length: before[1].byteLength, hashes: { sha256 } },
			},
		}));
		expect(await code((await open()).index("sample"))).toBe("TRUST_ROLLBACK");
	});
});

/** A timestamp above the one that the forger's first lie had. */
async function bump(forger: Forger, by: number): Promise<void> {
	const { signed } = parseEnvelope(await forger.file("timestamp.json"), "timestamp");
	const version = signed.meta["snapshot.json"].version + by;
	await forger.timestamp((now) => ({
		...now,
		version: now.version + by,
		meta: { "snapshot.json": { version } },
	}));
}

test("freeze: the registry as it stands, replayed until it has expired", async () => {
	const world = await victim();
	await world.open();
	world.mirror.serve(fromFiles(await everything()));
	world.ahead = 0.9;
	await world.open();
	world.ahead = 1.1;
	expect(await code(world.open())).toBe("TRUST_EXPIRED");
});

test("freeze with a stolen timestamp key: until the snapshot has expired", async () => {
	const world = await victim();
	await world.forger.timestamp((signed) => ({
		...signed,
		version: signed.version + 1,
		expires: "2999-01-01T00:00:00Z",
	}));
	world.ahead = 6;
	await world.open();
	world.ahead = 8;
	expect(await code(world.open())).toBe("TRUST_EXPIRED");
});

test("mix-and-match: today's snapshot beside yesterday's bin", async () => {
	const { mirror, open } = await victim();
	const versions = (files: Map<string, Uint8Array>) =>
		[...files.keys()].filter((path) => path.endsWith(`.${BIN}.json`));
	const [old] = versions(older);
	const [now] = versions(await everything());
	mirror.lie(now!, older.get(old!)!);
	expect(await code((await open()).index("sample"))).toBe("TRUST_MISMATCH");
});

test("mix-and-match: today's timestamp beside yesterday's snapshot", async () => {
	const { mirror, open } = await victim();
	const snapshots = (files: Map<string, Uint8Array>) =>
		[...files.keys()].filter((path) => path.endsWith(".snapshot.json"));
	mirror.lie(snapshots(await everything())[0]!, older.get(snapshots(older)[0]!)!);
	expect(await code(open())).toBe("TRUST_MISMATCH");
});

describe.each(["v1/metadata/2.root.json", "v1/metadata/timestamp.json"])("%s", (path) => {
	test("endless data", async () => {
		const { mirror, open } = await victim();
		mirror.lie(path, "endless");
		expect(await code(open())).toBe("TRUST_TOO_LARGE");
		expect(mirror.sent.bytes).toBeLessThan(64 * 1024 * 1024);
	});

	test("slow data", async () => {
		const { mirror, open } = await victim();
		mirror.lie(path, "slow");
		expect(await code(open())).toBe("CLI_REGISTRY_SLOW");
	});
});

test("endless and slow data in an archive's place", async () => {
	const { mirror, open } = await victim();
	const source = await open();
	const { sha256, size } = (await source.index("sample")).versions[0]!;
	const path = bundles[1]!.path.slice(1);
	mirror.lie(path, "endless");
	expect(await code(source.blob(sha256, size))).toBe("TRUST_TOO_LARGE");
	mirror.lie(path, "slow");
	expect(await code(source.blob(sha256, size))).toBe("CLI_REGISTRY_SLOW");
});

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
		await listed(forger, mirror, await testBundle({ version }));
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
		await listed(forger, mirror, evil);
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

/** A high version whose archive lies in the bin, so that one forged bin lists all of it. */
function versionIn(bin: string): string {
	for (let patch = 0; ; patch++)
		if (binOf(`sample/sample-9.9.${patch}.kfn`, SHAPE) === bin) return `9.9.${patch}`;
}

/** Puts a bundle into the index and the bin, with stolen online keys. */
async function listed(forger: Forger, mirror: LyingMirror, bundle: TestBundle): Promise<void> {
	const [, bytes] = [...(await everything())].find(([path]) => path.endsWith(".index.json"))!;
	const index = JSON.parse(Buffer.from(bytes).toString());
	const { version, sha256, tag, archive } = bundle;
	index.versions.unshift({ ...index.versions[0], version, sha256, tag, size: archive.byteLength });
	const next = Buffer.from(JSON.stringify(index));
	const digest = createHash("sha256").update(next).digest("hex");
	mirror.lie(paths.target("sample/index.json", digest).slice(1), next);
	await forger.bin(BIN, (signed) => ({
		...signed,
		targets: {
			...signed.targets,
			"sample/index.json": { length: next.byteLength, hashes: { sha256: digest } },
			[`sample/sample-${version}.kfn`]: { length: archive.byteLength, hashes: { sha256 } },
		},
	}));
}

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

test("two updates at once, in two real processes: each ends well or is told who holds the host, and one whole set stands", async () => {
	const { host } = await victim();
	const child = join(import.meta.dirname, "../harness/trust-child.ts");
	const spec = JSON.stringify({ root: host.layout.root, url: registry.url });
	const runs = Array.from({ length: 4 }, async () => {
		const process_ = spawn(process.execPath, [child, spec], { stdio: ["ignore", "pipe", "inherit"] });
		const chunks: Buffer[] = [];
		process_.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
		await once(process_, "close");
		return Buffer.concat(chunks).toString().trim();
	});
	const outcomes = await Promise.all(runs);
	expect(outcomes).toContain("accepted");
	for (const result of outcomes) expect(["accepted", "HOST_LOCKED"]).toContain(result);
	expect(readTrustState(host).set!.record.complete).toBe(true);
	await withLock(host, "test", (lock) => raiseFloor(lock, { name: "sample", version: "1.1.0" }));
});
