// The client's walk against repositories that our own writer and @tufjs/models make, and against each lie that TUF names.
import { generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	Key,
	Metadata,
	MetadataKind,
	MetaFile,
	Root,
	Signature,
	Snapshot,
	TargetFile,
	Targets,
	Timestamp,
} from "@tufjs/models";
import { afterEach, describe, expect, test } from "vitest";
import { TufRepository } from "#test/harness/tuf-repository.ts";
import { generateKeyPair } from "../ed25519.ts";
import type { SigningError } from "../errors.ts";
import type { FetchFile } from "./fetch-port.ts";
import { tufKeyId, tufKeyOf } from "./key.ts";
import type { KeyPolicy } from "./key-policy.ts";
import { readTrustedRoot, stillCounts } from "./trusted-root.ts";
import { setReferenceTime, TrustUpdater } from "./updater.ts";
import { verifiedRoles } from "./verified-roles.ts";

const NOW = new Date("2026-11-28T12:00:00Z");
const INDEX = "flow-dissector/index.json";
const days = (n: number) => new Date(NOW.getTime() + n * 86_400_000);

const folders: string[] = [];
afterEach(() => {
	for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A port over the tree in memory; `asked` are its paths. */
function portOf(files: ReadonlyMap<string, Uint8Array>, asked: string[] = []): FetchFile {
	return async (path) => {
		asked.push(path);
		return files.get(`v1/${path}`) ?? "missing";
	};
}

function walk(
	trusted: ReadonlyMap<string, Uint8Array>,
	fetch: FetchFile,
	more: { at?: Date; policy?: KeyPolicy } = {},
): TrustUpdater {
	const scratch = mkdtempSync(join(tmpdir(), "kfn-walk-"));
	folders.push(scratch);
	const { at = NOW, policy = "ed25519" } = more;
	return new TrustUpdater({ scratch, trusted, fetch, referenceTime: at, policy });
}

const only = (root: Uint8Array) => new Map([["root", root]]);

async function make(): Promise<TufRepository> {
	const repository = await TufRepository.make({ now: NOW });
	await repository.publish("kfn/publishers.json", Buffer.from("{}\n"));
	await repository.publish(INDEX, Buffer.from("[]\n"), { kfn: { tag: "kfn1:x" } });
	return repository;
}

/** What a client trusts after it has seen the repository as it stands. */
async function seen(repository: TufRepository, at = NOW): Promise<ReadonlyMap<string, Uint8Array>> {
	const updater = walk(only(repository.root), portOf(repository.files), { at });
	await updater.refresh();
	return updater.verified();
}

async function refusal(work: Promise<unknown>): Promise<SigningError> {
	return work.then(
		() => {
			throw new Error("it was not refused");
		},
		(error: SigningError) => error,
	);
}

const refused = async (updater: TrustUpdater): Promise<string> => (await refusal(updater.refresh())).code;

describe("a repository of our own writer", () => {
	test("is verified from the root to a target's bytes, with one bin", async () => {
		const repository = await make();
		const asked: string[] = [];
		const updater = walk(only(repository.root), portOf(repository.files, asked));
		await updater.refresh();
		const target = (await updater.find(INDEX))!;
		expect(target).toMatchObject({ length: 3, custom: { kfn: { tag: "kfn1:x" } } });
		expect(Buffer.from(await updater.download(target)).toString()).toBe("[]\n");
		expect(await updater.find("nothing/index.json")).toBeUndefined();
		expect(asked.filter((path) => path.includes("bin-"))).toHaveLength(2);
		expect([...updater.verified().keys()]).toEqual(expect.arrayContaining(["root", "targets", "timestamp"]));
		const roles = verifiedRoles(updater.verified());
		expect(roles.get("timestamp")).toMatchObject({ version: 3, expires: "2026-11-29T12:00:00Z" });
		expect(roles.get("root")!.signers).toHaveLength(3);
	});

	test("what is trusted already is not fetched again", async () => {
		const repository = await make();
		const asked: string[] = [];
		const updater = walk(await seen(repository), portOf(repository.files, asked));
		await updater.refresh();
		expect(asked).toEqual(["metadata/2.root.json", "metadata/timestamp.json"]);
	});

	test("a chain of roots is walked, and each must be signed by the one before", async () => {
		const repository = await make();
		const first = repository.root;
		await repository.rotate("root");
		await repository.rotate("timestamp");
		await repository.signTimestamp();
		const updater = walk(only(first), portOf(repository.files));
		await updater.refresh();
		expect(verifiedRoles(updater.verified()).get("root")!.version).toBe(3);
	});
});

describe("the reference time", () => {
	test("is the caller's, not the system's", async () => {
		const repository = await make();
		const root = only(repository.root);
		await walk(root, portOf(repository.files), { at: days(0.99) }).refresh();
		const late = await refusal(walk(root, portOf(repository.files), { at: days(1) }).refresh());
		expect(late).toMatchObject({ code: "TRUST_EXPIRED", details: { role: "timestamp" } });
	});

	test("a tuf-js that keeps it elsewhere stops every update", () => {
		for (const moved of [{}, { trustedSet: {} }, { trustedSet: { referenceTime: "now" } }]) {
			expect(() => setReferenceTime(moved, NOW)).toThrow("referenceTime");
		}
	});
});

describe("refusals by their reason", () => {
	test("rollback of the timestamp", async () => {
		const repository = await make();
		const old = repository.file("metadata/timestamp.json");
		await repository.publish(INDEX, Buffer.from("new\n"));
		const trusted = await seen(repository);
		repository.files.set("v1/metadata/timestamp.json", old);
		const error = await refusal(walk(trusted, portOf(repository.files)).refresh());
		expect(error).toMatchObject({
			code: "TRUST_ROLLBACK",
			details: { role: "timestamp", trusted: 4, offered: 3 },
		});
		expect(error.cause).toBeInstanceOf(Error);
	});

	test("rollback of the snapshot, by a thief of the timestamp key", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		await repository.signTimestamp((meta) => ({ version: meta.version - 1 }));
		expect(await refused(walk(trusted, portOf(repository.files)))).toBe("TRUST_ROLLBACK");
	});

	test("rollback of targets and of a bin, by a thief of the online keys", async () => {
		for (const change of [
			(meta: Record<string, { version: number }>) => ({ ...meta, "targets.json": { version: 1 } }),
			(meta: Record<string, { version: number }>) => Object.fromEntries(Object.entries(meta).slice(1)),
		]) {
			const repository = await make();
			const trusted = await seen(repository);
			await repository.signSnapshot(change);
			await repository.signTimestamp();
			const error = await refusal(walk(trusted, portOf(repository.files)).refresh());
			expect(error).toMatchObject({ code: "TRUST_ROLLBACK", details: { role: "snapshot" } });
		}
	});

	test("rollback and jump of the root", async () => {
		const repository = await make();
		const first = repository.root;
		await repository.signRoot();
		repository.files.set("v1/metadata/2.root.json", first);
		expect(await refused(walk(only(first), portOf(repository.files)))).toBe("TRUST_ROLLBACK");
		await repository.signRoot();
		repository.files.set("v1/metadata/2.root.json", repository.root);
		expect(await refused(walk(only(first), portOf(repository.files)))).toBe("TRUST_MISMATCH");
	});

	test("each role's expiry, an expired root after its chain", async () => {
		for (const [role, after] of [
			["timestamp", 1],
			["snapshot", 7],
			["targets", 180],
			["root", 365],
		] as const) {
			const repository = await make();
			repository.now = days(after);
			if (role !== "timestamp") await repository.signTimestamp();
			if (role === "targets" || role === "root") {
				await repository.signSnapshot();
				await repository.signTimestamp();
			}
			const walked = walk(only(repository.root), portOf(repository.files), { at: days(after) });
			expect(await refusal(walked.refresh())).toMatchObject({ code: "TRUST_EXPIRED", details: { role } });
		}
	});

	test("wrong threshold and duplicate signature, of each role", async () => {
		const repository = await make();
		const [one] = repository.keys.targets;
		const before = only(repository.root);
		await repository.signTargets(undefined, [one!]);
		await repository.signSnapshot();
		await repository.signTimestamp();
		expect(await refusal(walk(before, portOf(repository.files)).refresh())).toMatchObject({
			code: "TRUST_SIGNATURES",
			details: { role: "targets" },
		});
		const name = `v1/metadata/${repository.versions.get("targets")}.targets.json`;
		const file = JSON.parse(Buffer.from(repository.files.get(name)!).toString());
		file.signatures.push(file.signatures[0]);
		repository.files.set(name, Buffer.from(JSON.stringify(file)));
		expect(await refused(walk(before, portOf(repository.files)))).toBe("TRUST_MALFORMED");
		await repository.signRoot(undefined, repository.keys.root.slice(0, 1));
		expect(await refused(walk(before, portOf(repository.files)))).toBe("TRUST_SIGNATURES");
	});

	test("mix and match: a snapshot and a bin of another time", async () => {
		const repository = await make();
		const root = only(repository.root);
		const old = repository.file("metadata/3.snapshot.json");
		await repository.publish(INDEX, Buffer.from("new\n"));
		repository.files.set("v1/metadata/4.snapshot.json", old);
		expect(await refused(walk(root, portOf(repository.files)))).toBe("TRUST_MISMATCH");
		await repository.signTimestamp((meta) => ({ version: meta.version }));
		expect(await refused(walk(root, portOf(repository.files)))).toBe("TRUST_MISMATCH");
	});

	test("mix and match: what is trusted already, served again under the next version's name", async () => {
		for (const [role, lie] of [
			["snapshot", "4.snapshot.json"],
			["targets", "3.targets.json"],
		] as const) {
			const repository = await make();
			const trusted = await seen(repository);
			await repository.publish("kfn/publishers.json", Buffer.from("new\n"));
			repository.files.set(`v1/metadata/${lie}`, trusted.get(role)!);
			expect(await refused(walk(trusted, portOf(repository.files))), role).toBe("TRUST_MISMATCH");
		}
	});

	test("freeze and mix and match with files that this host has seen itself", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		const late = walk(trusted, portOf(repository.files), { at: days(2) });
		expect(await refusal(late.refresh())).toMatchObject({
			code: "TRUST_EXPIRED",
			details: { role: "timestamp" },
		});
		const old = repository.file("metadata/3.snapshot.json");
		await repository.publish(INDEX, Buffer.from("new\n"));
		repository.files.set("v1/metadata/4.snapshot.json", old);
		expect(await refused(walk(trusted, portOf(repository.files)))).toBe("TRUST_MISMATCH");
		await repository.signTimestamp((meta) => ({ version: meta.version }));
		expect(await refused(walk(trusted, portOf(repository.files)))).toBe("TRUST_MISMATCH");
	});

	test("a timestamp that this host has seen, and whose keys the root has replaced since", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		await repository.rotate("timestamp");
		const error = await refusal(walk(trusted, portOf(repository.files)).refresh());
		expect(error).toMatchObject({ code: "TRUST_SIGNATURES", details: { role: "timestamp" } });
	});

	test("a delegated role that is trusted already is not fetched again", async () => {
		const repository = await make();
		const first = walk(only(repository.root), portOf(repository.files));
		await first.find(INDEX);
		const asked: string[] = [];
		const updater = walk(first.verified(), portOf(repository.files, asked));
		await updater.refresh();
		expect(await updater.find(INDEX)).toBeDefined();
		expect(asked).toEqual(["metadata/2.root.json", "metadata/timestamp.json"]);
	});

	test("a bin that is missing, not listed, or other than listed", async () => {
		const repository = await make();
		const bin = [...repository.versions].find(
			([name, version]) => name.startsWith("bin-") && version === 2,
		)![0];
		const root = only(repository.root);
		const find = async () => {
			const updater = walk(root, portOf(repository.files));
			return (await refusal(updater.find(INDEX))).code;
		};
		const listed = repository.file(`metadata/2.${bin}.json`);
		repository.files.set(`v1/metadata/2.${bin}.json`, repository.file(`metadata/1.${bin}.json`));
		expect(await find()).toBe("TRUST_MISMATCH");
		repository.files.delete(`v1/metadata/2.${bin}.json`);
		expect(await find()).toBe("TRUST_MISMATCH");
		repository.files.set(`v1/metadata/2.${bin}.json`, listed);
		await repository.signSnapshot((meta) =>
			Object.fromEntries(Object.entries(meta).filter(([name]) => name !== `${bin}.json`)),
		);
		await repository.signTimestamp();
		expect(await find()).toBe("TRUST_MISMATCH");
	});

	test("arbitrary and missing target bytes", async () => {
		const repository = await make();
		const updater = walk(only(repository.root), portOf(repository.files));
		const target = (await updater.find(INDEX))!;
		const [path] = [...repository.files.keys()].filter((name) => name.includes("flow-dissector"));
		repository.files.set(path!, Buffer.from("[x]"));
		expect((await refusal(updater.download(target))).code).toBe("TRUST_MISMATCH");
		repository.files.delete(path!);
		expect((await refusal(updater.download(target))).code).toBe("TRUST_MISMATCH");
	});

	test("a target that its lister says is endless is not even asked for", async () => {
		const repository = await make();
		const asked: string[] = [];
		const updater = walk(only(repository.root), portOf(repository.files, asked));
		const target = (await updater.find(INDEX))!;
		asked.length = 0;
		const error = await refusal(updater.download({ ...target, length: 2 ** 40 }));
		expect({ code: error.code, asked }).toEqual({ code: "TRUST_TOO_LARGE", asked: [] });
	});

	test("too many bytes, whatever a signed file says of them", async () => {
		const repository = await make();
		const limits: Record<string, number> = {};
		const honest = portOf(repository.files);
		const updater = walk(only(repository.root), async (path, limit) => {
			limits[path] = limit;
			return honest(path, limit);
		});
		await repository.signTimestamp(({ version }) => ({ version, length: 10_000_000 }));
		expect((await refusal(updater.refresh())).code).toBe("TRUST_MISMATCH");
		expect(limits).toEqual({
			"metadata/2.root.json": 512_000,
			"metadata/timestamp.json": 16_384,
			"metadata/3.snapshot.json": 2_000_000,
		});
		repository.files.set("v1/metadata/timestamp.json", Buffer.alloc(16_385, " "));
		expect(await refused(walk(only(repository.root), honest))).toBe("TRUST_TOO_LARGE");
	});

	test("no metadata: nothing there, no JSON, another role's, no UTF-8, no root to begin with", async () => {
		const repository = await make();
		const root = only(repository.root);
		const timestamp = "v1/metadata/timestamp.json";
		for (const [bytes, code] of [
			[Buffer.from("<html>"), "TRUST_MALFORMED"],
			[repository.root, "TRUST_TOO_LARGE"],
			[repository.file("metadata/1.bin-0.json"), "TRUST_MALFORMED"],
			[Buffer.from([0x22, 0xff, 0x22]), "TRUST_MALFORMED"],
		] as const) {
			repository.files.set(
				timestamp,
				bytes.byteLength > 900 ? Buffer.concat([bytes, Buffer.alloc(16_384)]) : bytes,
			);
			expect(await refused(walk(root, portOf(repository.files)))).toBe(code);
		}
		repository.files.delete(timestamp);
		expect(await refused(walk(root, portOf(repository.files)))).toBe("TRUST_MISMATCH");
		expect(await refused(walk(only(Buffer.from("{}")), portOf(repository.files)))).toBe("TRUST_MALFORMED");
	});

	test("what the port throws comes out as it was thrown, wherever tuf-js was", async () => {
		const repository = await make();
		const honest = portOf(repository.files);
		for (const at of ["2.root", "timestamp", "snapshot", "targets"]) {
			const failure = new Error("cable");
			const updater = walk(only(repository.root), (path, limit) =>
				path.includes(at) ? Promise.reject(failure) : honest(path, limit),
			);
			expect(await refusal(updater.refresh())).toBe(failure);
		}
	});

	test("what was verified before the refusal is there to be kept", async () => {
		const repository = await make();
		const trusted = await seen(repository);
		await repository.rotate("targets");
		await repository.publish(INDEX, Buffer.from("new\n"));
		repository.files.delete("v1/metadata/4.snapshot.json");
		const updater = walk(trusted, portOf(repository.files));
		expect(await refused(updater)).toBe("TRUST_MISMATCH");
		const roles = verifiedRoles(updater.verified());
		expect([...roles].map(([role, { version }]) => `${role} ${version}`)).toEqual([
			"root 2",
			"targets 2",
			"snapshot 3",
			"timestamp 4",
		]);
	});
});

test("a disk that takes no more: what tuf-js wrote of a file is no verified file, and the disk's own error comes out", async () => {
	const repository = await make();
	const trusted = await seen(repository);
	await repository.publish(INDEX, Buffer.from("new\n"));
	const scratch = mkdtempSync(join(tmpdir(), "kfn-walk-"));
	folders.push(scratch);
	const honest = portOf(repository.files);
	const fetch: FetchFile = async (path, limit) => {
		// Stands for a full disk: no write of the file can succeed, neither tuf-js's nor ours.
		for (const name of ["timestamp.json", "probe"]) {
			rmSync(join(scratch, name), { force: true });
			symlinkSync("nowhere/at-all", join(scratch, name));
		}
		return honest(path, limit);
	};
	const updater = new TrustUpdater({ scratch, trusted, fetch, referenceTime: NOW, policy: "ed25519" });
	expect((await refusal(updater.refresh())).code).toBe("ENOENT");
	expect(updater.verified()).toEqual(trusted);
});

describe("fast-forward recovery (§5.3.11)", () => {
	test("new keys of timestamp and snapshot void what was seen under the stolen ones", async () => {
		const repository = await make();
		const honest = new Map(repository.versions);
		const first = repository.root;
		repository.versions.set("snapshot", 1_000_000).set("timestamp", 1_000_000);
		await repository.signSnapshot((meta) => ({ ...meta, "targets.json": { version: 2 } }));
		await repository.signTimestamp();
		const trusted = await seen(repository);
		for (const [role, version] of honest) repository.versions.set(role, version);
		await repository.signSnapshot();
		await repository.signTimestamp();
		expect(await refused(walk(trusted, portOf(repository.files)))).toBe("TRUST_ROLLBACK");
		await repository.rotate("snapshot");
		await repository.rotate("timestamp");
		await repository.signSnapshot();
		await repository.signTimestamp();
		const updater = walk(trusted, portOf(repository.files));
		await updater.refresh();
		expect(verifiedRoles(updater.verified()).get("snapshot")!.version).toBe(5);
		const before = verifiedRoles(trusted);
		const root = readTrustedRoot(updater.verified().get("root")!);
		expect(stillCounts(root, "timestamp", before.get("timestamp")!.signers)).toBe(false);
		expect(stillCounts(readTrustedRoot(first), "timestamp", before.get("timestamp")!.signers)).toBe(true);
	});
});

describe("the key policy", () => {
	test("one key under two ids is two signers for a threshold, and so refused", async () => {
		const repository = await make();
		const { publicKey } = repository.keys.timestamp[0]!;
		const before = repository.root;
		await repository.signRoot((signed) => {
			const twin = "f".repeat(64) as ReturnType<typeof tufKeyId>;
			const role = { keyids: [...signed.roles.timestamp.keyids, twin], threshold: 1 };
			return {
				...signed,
				keys: { ...signed.keys, [twin]: tufKeyOf(publicKey) },
				roles: { ...signed.roles, timestamp: role },
			};
		});
		expect(await refused(walk(only(before), portOf(repository.files)))).toBe("TRUST_KEY_POLICY");
		await walk(only(before), portOf(repository.files), { policy: "any" }).refresh();
	});

	test("a key of small order is nobody's", async () => {
		const repository = await make();
		const weak = {
			keytype: "ed25519",
			scheme: "ed25519",
			keyval: { public: `01${"00".repeat(31)}` },
		} as const;
		const before = repository.root;
		await repository.signRoot((signed) => ({
			...signed,
			keys: { ...signed.keys, [tufKeyId(weak)]: weak },
			roles: {
				...signed.roles,
				targets: { keyids: [...signed.roles.targets.keyids, tufKeyId(weak)], threshold: 2 },
			},
		}));
		const error = await refusal(walk(only(before), portOf(repository.files)).refresh());
		expect(error).toMatchObject({ code: "TRUST_KEY_POLICY", cause: { code: "KEY_WEAK" } });
	});
});

describe("a repository of @tufjs/models", () => {
	test.each(["ed25519", "ecdsa", "rsa"] as const)("signed with %s", async (kind) => {
		const { root, files } = theirs(kind);
		const updater = walk(only(root), portOf(files), { policy: "any" });
		const target = (await updater.find("a/b.txt"))!;
		expect(Buffer.from(await updater.download(target)).toString()).toBe("hello");
		const policed = walk(only(root), portOf(files));
		if (kind === "ed25519") await policed.refresh();
		else expect(await refused(policed)).toBe("TRUST_KEY_POLICY");
	});
});

test("a root reader takes no other metadata, and no prefix of a root", async () => {
	const repository = await make();
	expect(readTrustedRoot(repository.root)).toMatchObject({ version: 1, expires: "2027-11-28T12:00:00Z" });
	const others = [
		repository.file("metadata/timestamp.json"),
		Buffer.from("null"),
		Buffer.from('{"signed":{}}'),
	];
	const prefixes = [...repository.root.keys()].map((end) => repository.root.subarray(0, end));
	for (const bytes of [...others, ...prefixes]) {
		expect(() => readTrustedRoot(bytes)).toThrow(expect.objectContaining({ code: "TRUST_MALFORMED" }));
	}
	const extra = await generateKeyPair();
	expect(stillCounts(readTrustedRoot(repository.root), "root", [tufKeyId(tufKeyOf(extra.publicKey))])).toBe(
		false,
	);
});

/** A repository with one key for everything, unprefixed roles and a delegation, as their classes write it. */
function theirs(kind: "ed25519" | "ecdsa" | "rsa"): { root: Uint8Array; files: Map<string, Uint8Array> } {
	const { key, signer } = theirKey(kind);
	const common = { specVersion: "1.0.31", expires: "2030-01-01T00:00:00Z", version: 1 };
	const root = new Metadata(new Root({ ...common, consistentSnapshot: true }));
	for (const role of ["root", "timestamp", "snapshot", "targets"]) root.signed.addKey(key, role);
	const bytes = Buffer.from("hello");
	const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	const targets = new Metadata(new Targets(common));
	targets.signed.addTarget(new TargetFile({ path: "a/b.txt", length: 5, hashes: { sha256 } }));
	const snapshot = new Metadata(
		new Snapshot({ ...common, meta: { "targets.json": new MetaFile({ version: 1 }) } }),
	);
	const timestamp = new Metadata(new Timestamp({ ...common, snapshotMeta: new MetaFile({ version: 1 }) }));
	const written = (metadata: { sign(by: typeof signer): void; toJSON(): unknown }) => {
		metadata.sign(signer);
		return Buffer.from(JSON.stringify(metadata.toJSON()));
	};
	const files = new Map<string, Uint8Array>([
		["v1/metadata/1.targets.json", written(targets)],
		["v1/metadata/1.snapshot.json", written(snapshot)],
		["v1/metadata/timestamp.json", written(timestamp)],
		[`v1/targets/a/${sha256}.b.txt`, bytes],
	]);
	const rootBytes = written(root);
	expect(Metadata.fromJSON(MetadataKind.Root, JSON.parse(rootBytes.toString())).signed.version).toBe(1);
	return { root: rootBytes, files };
}

function theirKey(kind: "ed25519" | "ecdsa" | "rsa"): { key: Key; signer: (data: Buffer) => Signature } {
	const pairs = {
		ed25519: () => generateKeyPairSync("ed25519"),
		ecdsa: () => generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
		rsa: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
	};
	const schemes = { ed25519: "ed25519", ecdsa: "ecdsa-sha2-nistp256", rsa: "rsassa-pss-sha256" };
	const { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject } = pairs[kind]();
	const spki = publicKey.export({ type: "spki", format: "der" });
	const value =
		kind === "ed25519"
			? spki.subarray(-32).toString("hex")
			: publicKey.export({ type: "spki", format: "pem" });
	const key = new Key({
		keyID: "1".repeat(64),
		keyType: kind,
		scheme: schemes[kind],
		keyVal: { public: String(value) },
	});
	const algorithm = kind === "ed25519" ? null : "sha256";
	const signWith = kind === "rsa" ? { key: privateKey, padding: 6, saltLength: 32 } : privateKey;
	const signer = (data: Buffer) =>
		new Signature({ keyID: key.keyID, sig: signBytes(algorithm, data, signWith).toString("hex") });
	return { key, signer };
}
