// The client's walk against repositories that our own writer makes: what it verifies and asks for, whose clock counts, which
// keys do, and how it recovers. Lies have updater-refusals.test.ts, other writers updater-models.test.ts.
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { generateKeyPair } from "../ed25519.ts";
import type { FetchFile } from "./fetch-port.ts";
import { tufKeyId, tufKeyOf } from "./key.ts";
import {
	days,
	INDEX,
	make,
	NOW,
	only,
	portOf,
	refusal,
	refused,
	scratchFolder,
	seen,
	walk,
} from "./testing/walk.ts";
import { readTrustedRoot, stillCounts } from "./trusted-root.ts";
import { setReferenceTime, TrustUpdater } from "./updater.ts";
import { verifiedRoles } from "./verified-roles.ts";

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

test("a disk that takes no more: what tuf-js wrote of a file is no verified file, and the disk's own error comes out", async () => {
	const repository = await make();
	const trusted = await seen(repository);
	await repository.publish(INDEX, Buffer.from("new\n"));
	const scratch = scratchFolder();
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
