// The client's walk against a repository that @tufjs/models wrote, under each kind of key.
import { generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto";
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
import { describe, expect, test } from "vitest";
import { only, portOf, refused, walk } from "./testing/walk.ts";

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
