// Contract of the metadata port. Every adapter joins by an entry in testing/metadata-adapters.ts; the tests know nothing of any.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Instance, metadataAdapters } from "../testing/metadata-adapters.ts";
import type {
	AuditRecord,
	MetadataStore,
	TokenRecord,
	TrustDocument,
	TrustFile,
	VersionRecord,
} from "./metadata-store.ts";
import type { StatementRecord } from "./statement-store.ts";

const version = (changes: Partial<VersionRecord> = {}): VersionRecord => {
	const name = changes.name ?? "alpha";
	const number = changes.version ?? "1.0.0";
	return {
		name,
		version: number,
		// Unique per name and version, as it is in life.
		sha256: Buffer.from(`${name} ${number}`).toString("hex").padEnd(64, "0").slice(0, 64),
		size: 16_777_216,
		manifestSha256: "b".repeat(64),
		tag: `kfn1:${"c".repeat(64)}`,
		functionName: "flow-dissector",
		functionAbi: 1,
		requires: [{ kernel: ">=5.10", features: ["link:netns"] }],
		publishedAt: "2026-01-01T00:00:00.000Z",
		publishedBy: "token-1",
		yankedAt: null,
		yankReason: null,
		revision: 0,
		...changes,
	};
};

const token = (changes: Partial<TokenRecord> = {}): TokenRecord => ({
	id: "token-1",
	hash: "d".repeat(64),
	label: "Ünïcode 'quoted' \"label\"; drop table tokens; --",
	names: "acme-*",
	verbs: ["publish", "read"],
	createdAt: "2026-01-01T00:00:00.000Z",
	expiresAt: "2027-01-01T00:00:00.000Z",
	revokedAt: null,
	...changes,
});

const audit = (outcome: string): AuditRecord => ({
	at: "2026-01-01T00:00:00.000Z",
	tokenId: null,
	verb: "publish",
	name: "alpha",
	version: "1.0.0",
	sha256: null,
	outcome,
});

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const trustFile = (
	role: string,
	version: number,
	text = `{"${role}":${version},"ü":"\\u0000 'x' \t"}`,
): TrustFile => ({
	role,
	version,
	expires: "2027-01-31T12:00:00Z",
	bytes: utf8(text),
});

const trustDocument = (path: string, text: string): TrustDocument => ({
	path,
	sha256: Buffer.from(text).toString("hex").padEnd(64, "0").slice(0, 64),
	bytes: utf8(text),
});

const T1 = "2026-01-01T00:00:00.000Z";
const T2 = "2026-01-02T00:00:00.000Z";
const T3 = "2026-01-03T00:00:00.000Z";

describe.each(metadataAdapters)("metadata store on $name", ({ open }) => {
	let instance: Instance;
	let store: MetadataStore;
	beforeEach(async () => {
		instance = await open();
		store = instance.store;
	});
	afterEach(async () => {
		await store.close();
		await instance.remove();
	});
	const insert = (record: VersionRecord) => store.transaction((tx) => tx.insertVersion(record));

	test("answers what was inserted, field by field, also to another connection", async () => {
		const record = version({ yankedAt: "2026-01-02T00:00:00.000Z", yankReason: "'; --", revision: 3 });
		expect(await insert(record)).toBe(true);
		const other = await instance.openAgain();
		expect(await other.read((reads) => reads.findVersion("alpha", "1.0.0"))).toEqual(record);
		expect(await other.read((reads) => reads.findDigest(record.sha256))).toEqual(record);
		expect(await other.read((reads) => reads.listVersions("alpha"))).toEqual([record]);
		await other.close();
	});

	test("answers undefined or nothing for what is not there", async () => {
		await store.read(async (reads) => {
			expect(await reads.findVersion("alpha", "1.0.0")).toBeUndefined();
			expect(await reads.findDigest("a".repeat(64))).toBeUndefined();
			expect(await reads.listVersions("alpha")).toEqual([]);
			expect(await reads.findToken("x")).toBeUndefined();
			expect(await reads.findTokenByHash("x")).toBeUndefined();
			expect(await reads.listNames("", 10)).toEqual([]);
		});
	});

	test("a transaction that throws has written nothing", async () => {
		const failure = store.transaction(async (tx) => {
			await tx.insertVersion(version());
			await tx.insertToken(token());
			await tx.appendAudit(audit("created"));
			expect(await tx.findVersion("alpha", "1.0.0")).toBeDefined();
			throw new Error("no");
		});
		await expect(failure).rejects.toThrow("no");
		await store.read(async (reads) => {
			expect(await reads.findVersion("alpha", "1.0.0")).toBeUndefined();
			expect(await reads.listNames("", 10)).toEqual([]);
			expect(await reads.listTokens()).toEqual([]);
			expect(await reads.listAudit(10)).toEqual([]);
		});
	});

	test("a read does not see, and does not wait for, a transaction under way", async () => {
		await store.transaction(async (tx) => {
			await tx.insertVersion(version());
			expect(await store.read((reads) => reads.listVersions("alpha"))).toEqual([]);
		});
		expect(await store.read((reads) => reads.listVersions("alpha"))).toHaveLength(1);
	});

	test("inserting a version twice writes once: the first stays", async () => {
		expect(await insert(version())).toBe(true);
		expect(await insert(version({ sha256: "e".repeat(64) }))).toBe(false);
		const stored = await store.read((reads) => reads.findVersion("alpha", "1.0.0"));
		expect(stored).toEqual(version());
	});

	test("of many inserts of one version at once, exactly one wins", async () => {
		const records = Array.from({ length: 20 }, (_, n) =>
			version({ sha256: n.toString(16).padStart(64, "0") }),
		);
		const won = await Promise.all(records.map(insert));
		expect(won.filter(Boolean)).toHaveLength(1);
		const stored = await store.read((reads) => reads.listVersions("alpha"));
		expect(stored).toEqual([records[won.indexOf(true)]]);
	});

	test("one digest cannot stand under two versions", async () => {
		await insert(version());
		const { sha256 } = version();
		await expect(insert(version({ version: "2.0.0", sha256 }))).rejects.toThrow();
		expect(await store.read((reads) => reads.findVersion("alpha", "2.0.0"))).toBeUndefined();
	});

	test("a yank swaps only from the expected revision", async () => {
		await insert(version());
		const key = { name: "alpha", version: "1.0.0" };
		const yanked = { at: "2026-02-02T00:00:00.000Z", reason: "crash" };
		const swap = (expectedRevision: number, to: typeof yanked | null) =>
			store.transaction((tx) => tx.swapYank({ ...key, expectedRevision }, to));
		expect(await swap(1, yanked)).toBe(false);
		expect(await swap(0, yanked)).toBe(true);
		expect(await swap(0, null)).toBe(false);
		const stored = await store.read((reads) => reads.findVersion("alpha", "1.0.0"));
		expect(stored).toEqual(version({ yankedAt: yanked.at, yankReason: "crash", revision: 1 }));
		expect(await swap(1, null)).toBe(true);
		expect(await store.read((reads) => reads.findVersion("alpha", "1.0.0"))).toEqual(
			version({ revision: 2 }),
		);
	});

	test("names are paged in byte order, each once", async () => {
		for (const name of ["b", "a0", "a-b", "a", "ab", "a1"]) await insert(version({ name }));
		await insert(version({ name: "a", version: "2.0.0" }));
		const page = (after: string, limit: number) => store.read((reads) => reads.listNames(after, limit));
		expect(await page("", 10)).toEqual(["a", "a-b", "a0", "a1", "ab", "b"]);
		expect(await store.read((reads) => reads.countVersions())).toBe(7);
		expect(await page("", 2)).toEqual(["a", "a-b"]);
		expect(await page("a-b", 2)).toEqual(["a0", "a1"]);
		expect(await page("aa", 9)).toEqual(["ab", "b"]);
		expect(await page("b", 2)).toEqual([]);
	});

	test("tokens are found by id and by hash, and revoked once", async () => {
		const older = token({ id: "token-0", hash: "e".repeat(64), createdAt: "2025-01-01T00:00:00.000Z" });
		await store.transaction(async (tx) => {
			await tx.insertToken(token());
			await tx.insertToken(older);
		});
		await store.read(async (reads) => {
			expect(await reads.findToken("token-1")).toEqual(token());
			expect(await reads.findTokenByHash(token().hash)).toEqual(token());
			expect(await reads.listTokens()).toEqual([older, token()]);
		});
		const revoke = (id: string, at: string) => store.transaction((tx) => tx.revokeToken(id, at));
		expect(await revoke("token-1", "2026-03-03T00:00:00.000Z")).toBe(true);
		expect(await revoke("token-1", "2026-04-04T00:00:00.000Z")).toBe(false);
		expect(await revoke("token-9", "2026-04-04T00:00:00.000Z")).toBe(false);
		const stored = await store.read((reads) => reads.findToken("token-1"));
		expect(stored?.revokedAt).toBe("2026-03-03T00:00:00.000Z");
	});

	test("two tokens cannot have one hash", async () => {
		await store.transaction((tx) => tx.insertToken(token()));
		await expect(store.transaction((tx) => tx.insertToken(token({ id: "token-2" })))).rejects.toThrow();
	});

	test("the audit log answers newest first, also within one millisecond", async () => {
		for (const outcome of ["one", "two", "three"])
			await store.transaction((tx) => tx.appendAudit(audit(outcome)));
		const listed = await store.read((reads) => reads.listAudit(2));
		expect(listed).toEqual([audit("three"), audit("two")]);
	});

	test("a role's highest version is its current one; those before stay readable, byte for byte", async () => {
		const files = [trustFile("bin-0", 1), trustFile("bin-0", 2), trustFile("root", 1), trustFile("bin-1", 7)];
		for (const file of files) {
			expect(await store.transaction((tx) => tx.insertTrustFile(file, T1))).toBe(true);
		}
		await store.read(async (reads) => {
			for (const file of files) expect(await reads.findTrustFile(file.role, file.version)).toEqual(file);
			expect(await reads.currentTrustFile("bin-0")).toEqual(files[1]);
			expect(await reads.currentTrustFile("bin-2")).toBeUndefined();
			expect(await reads.findTrustFile("bin-0", 3)).toBeUndefined();
			const { expires } = trustFile("x", 1);
			expect(await reads.listRoles()).toEqual([
				{ role: "bin-0", version: 2, expires },
				{ role: "bin-1", version: 7, expires },
				{ role: "root", version: 1, expires },
			]);
		});
	});

	test("a version of a role is written once: of many at once, exactly one wins", async () => {
		const files = Array.from({ length: 20 }, (_, n) => trustFile("snapshot", 2, `${n}`));
		await store.transaction((tx) => tx.insertTrustFile(trustFile("snapshot", 1), T1));
		const won = await Promise.all(
			files.map((file) => store.transaction((tx) => tx.insertTrustFile(file, T2))),
		);
		expect(won.filter(Boolean)).toHaveLength(1);
		const stored = await store.read((reads) => reads.currentTrustFile("snapshot"));
		expect(stored).toEqual(files[won.indexOf(true)]);
	});

	test("a document follows another at its path, and one that comes back is current again", async () => {
		const put = (document: TrustDocument, at: string) =>
			store.transaction((tx) => tx.putDocument(document, at));
		const current = () => store.read((reads) => reads.currentDocument("a/index.json"));
		const [first, second] = [
			trustDocument("a/index.json", "first ü"),
			trustDocument("a/index.json", "second"),
		];
		expect(await current()).toBeUndefined();
		await put(first, T1);
		await put(trustDocument("b/index.json", "first ü"), T1);
		await put(first, T2);
		expect(await current()).toEqual(first);
		await put(second, T2);
		expect(await current()).toEqual(second);
		await store.read(async (reads) => {
			expect(await reads.findDocument("a/index.json", first.sha256)).toEqual(first);
			expect(await reads.findDocument("b/index.json", second.sha256)).toBeUndefined();
		});
		await put(first, T3);
		expect(await current()).toEqual(first);
		// The one that came back is not superseded any more; the one between is, since T3.
		await store.transaction((tx) => tx.pruneTrust(T3));
		expect(await store.read((reads) => reads.findDocument("a/index.json", second.sha256))).toEqual(second);
		expect(await current()).toEqual(first);
	});

	test("pruning removes what was superseded before a time, and never a root or targets", async () => {
		for (const role of ["root", "targets", "snapshot", "bin-0"]) {
			await store.transaction((tx) => tx.insertTrustFile(trustFile(role, 1), T1));
			await store.transaction((tx) => tx.insertTrustFile(trustFile(role, 2), T2));
			await store.transaction((tx) => tx.insertTrustFile(trustFile(role, 3), T3));
		}
		const documents = ["one", "two", "three"].map((text) => trustDocument("a/index.json", text));
		for (const [n, document] of documents.entries()) {
			await store.transaction((tx) => tx.putDocument(document, [T1, T2, T3][n]!));
		}
		expect(await store.transaction((tx) => tx.pruneTrust(T2))).toBe(0);
		expect(await store.transaction((tx) => tx.pruneTrust(T3))).toBe(3);
		await store.read(async (reads) => {
			const left = async (role: string) => {
				const found = [1, 2, 3].map((version) => reads.findTrustFile(role, version));
				return (await Promise.all(found)).map((file) => file?.version);
			};
			expect(await left("root")).toEqual([1, 2, 3]);
			expect(await left("targets")).toEqual([1, 2, 3]);
			expect(await left("snapshot")).toEqual([undefined, 2, 3]);
			expect(await left("bin-0")).toEqual([undefined, 2, 3]);
			const digests = documents.map(({ path, sha256 }) => reads.findDocument(path, sha256));
			expect((await Promise.all(digests)).map(Boolean)).toEqual([false, true, true]);
		});
	});

	test("trust metadata that a failed transaction wrote is gone with it", async () => {
		await store.transaction((tx) => tx.insertTrustFile(trustFile("snapshot", 1), T1));
		await store.transaction((tx) => tx.putDocument(trustDocument("a/index.json", "one"), T1));
		const failure = store.transaction(async (tx) => {
			await tx.insertTrustFile(trustFile("snapshot", 2), T2);
			await tx.putDocument(trustDocument("a/index.json", "two"), T2);
			expect((await tx.currentTrustFile("snapshot"))?.version).toBe(2);
			throw new Error("no");
		});
		await expect(failure).rejects.toThrow("no");
		await store.read(async (reads) => {
			expect(await reads.currentTrustFile("snapshot")).toEqual(trustFile("snapshot", 1));
			expect(await reads.listRoles()).toHaveLength(1);
			expect(await reads.currentDocument("a/index.json")).toEqual(trustDocument("a/index.json", "one"));
		});
		expect(await store.transaction((tx) => tx.pruneTrust(T3))).toBe(0);
	});

	test("a statement is replaced from the expected serial only; expired ones are not listed, and found all the same", async () => {
		const statement = (id: string, changes: Partial<StatementRecord> = {}): StatementRecord => ({
			kind: "permit",
			name: "alpha",
			id,
			serial: 0,
			expires: "2026-01-02T00:00:00Z",
			sha256: "a".repeat(64),
			bytes: Buffer.from(`{"statement":"${id}","text":"ü'; --"}`),
			publishedAt: T1,
			publishedBy: "token",
			...changes,
		});
		const add = (record: StatementRecord) => store.transaction((tx) => tx.insertStatement(record));
		expect(await add(statement("b"))).toBe(true);
		expect(await add(statement("b", { serial: 7 }))).toBe(false);
		expect(await add(statement("b", { kind: "other" }))).toBe(true);
		expect(await add(statement("a", { expires: null }))).toBe(true);
		expect(await add(statement("c", { name: "beta" }))).toBe(true);
		const other = await instance.openAgain();
		const listed = (name: string | null, now: string) =>
			other.read(async (reads) => (await reads.listStatements("permit", name, now)).map(({ id }) => id));
		expect(await listed("alpha", "2026-01-01T23:59:59Z")).toEqual(["a", "b"]);
		expect(await listed(null, "2026-01-01T23:59:59Z")).toEqual(["a", "b", "c"]);
		expect(await listed("alpha", "2026-01-02T00:00:00Z")).toEqual(["a"]);
		const found = (id: string) =>
			store.read((reads) => reads.findStatement({ kind: "permit", name: "alpha", id }));
		const asStored = async (id: string) => {
			const record = await found(id);
			return record && { ...record, bytes: Buffer.from(record.bytes) };
		};
		expect(await asStored("b")).toEqual(statement("b"));
		const later = statement("b", { serial: 2, sha256: "b".repeat(64), bytes: Buffer.from("{}") });
		const swap = (expected: number) => other.transaction((tx) => tx.replaceStatement(later, expected));
		expect(await swap(1)).toBe(false);
		expect(await asStored("b")).toEqual(statement("b"));
		expect(await swap(0)).toBe(true);
		expect(await swap(0)).toBe(false);
		expect(await asStored("b")).toEqual(later);
		await other.close();
		const failure = store.transaction(async (tx) => {
			await tx.insertStatement(statement("d"));
			throw new Error("no");
		});
		await expect(failure).rejects.toThrow("no");
		expect(await found("d")).toBeUndefined();
	});

	test("two connections write at once without losing anything", async () => {
		const other = await instance.openAgain();
		const names = Array.from({ length: 20 }, (_, n) => `name-${n}`);
		await Promise.all(
			names.map((name, n) =>
				(n % 2 === 0 ? store : other).transaction((tx) => tx.insertVersion(version({ name }))),
			),
		);
		expect(await store.read((reads) => reads.listNames("", 100))).toEqual([...names].sort());
		await other.close();
	});

	test("what was written is there after closing and opening again", async () => {
		await insert(version());
		await store.close();
		store = await instance.openAgain();
		expect(await store.read((reads) => reads.listVersions("alpha"))).toEqual([version()]);
	});
});
