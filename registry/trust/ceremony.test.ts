// Drafts on a real data folder: every kind of change, signed rightly and wrongly, and after each step tuf-js from root 1.
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { verifierKey } from "#signing/log/note.ts";
import { parsePublishers } from "#signing/publishers.ts";
import { withPublisher } from "#signing/publishers-change.ts";
import { type Draft, parseDraft, serializeDraft } from "#signing/tuf/draft.ts";
import { signDraft } from "#signing/tuf/draft-signatures.ts";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import { serializeEnvelope } from "#signing/tuf/metadata.ts";
import { PUBLISHERS_TARGET } from "#signing/tuf/next-targets.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { openRegistry, type Registry } from "../serve.ts";
import { takeDraftLock } from "../serve-lock.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { temporaryFolder } from "../testing/server.ts";
import { StoreReader } from "../testing/store-reader.ts";
import type { InitSpec } from "./ceremony.ts";

let folder: string;
let registry: Registry;
let metadata: MetadataStore;
let roots: SecretKey[];
let signers: SecretKey[];
let fresh: SecretKey;
const readers: StoreReader[] = [];

beforeEach(async () => {
	folder = temporaryFolder();
	registry = await openRegistry({ dataDir: folder });
	metadata = await openSqliteMetadataStore(join(folder, "registry.sqlite"));
	const make = (count: number) => Promise.all(Array.from({ length: count }, () => generateKeyPair()));
	[roots, signers, fresh] = [await make(3), await make(2), await generateKeyPair()];
});
afterEach(async () => {
	await registry.close();
	await metadata.close();
	for (const { folder: path } of readers.splice(0)) rmSync(path, { recursive: true });
	rmSync(folder, { recursive: true });
});

const publics = (secrets: readonly SecretKey[]) => secrets.map(({ publicKey }) => publicKey);
const idOf = (secret: SecretKey) => tufKeyId(tufKeyOf(secret.publicKey));
const spec = (changes: Partial<InitSpec> = {}): InitSpec => ({
	root: { keys: publics(roots), threshold: 2 },
	targets: { keys: publics(signers), threshold: 2 },
	bins: 2,
	days: { root: 365, targets: 180 },
	origin: undefined,
	...changes,
});
const ceremony = () => registry.ceremony;
const file = (name: string) => join(folder, "staged", name);
const staged = () => (existsSync(join(folder, "staged")) ? readdirSync(join(folder, "staged")).sort() : []);
const draftAt = (name: string) => parseDraft(readFileSync(file(name)));
const live = async () => JSON.stringify(await metadata.read((reads) => reads.listRoles()));

/** A client that trusts root 1 and nothing newer: it walks the whole chain. */
async function readsWell(): Promise<void> {
	const first = await metadata.read((reads) => reads.findTrustFile("root", 1));
	const reader = new StoreReader(metadata, first!.bytes);
	readers.push(reader);
	expect(await reader.read(PUBLISHERS_TARGET)).toBeDefined();
}

async function initialised(): Promise<void> {
	const { live: now } = await ceremony().init(spec(), [...roots.slice(0, 2), ...signers]);
	expect(now.map(({ role, version }) => `${role} ${version}`)).toEqual(["root 1", "targets 1"]);
	await readsWell();
}

/** The refusal's code; whatever it is, what is live is as before. */
async function refusal(work: () => Promise<unknown>): Promise<string> {
	const before = await live();
	const code = await work().then(
		() => "done",
		(error: { code?: string }) => error.code ?? String(error),
	);
	expect(await live()).toBe(before);
	return code;
}

async function signStaged(name: string, secrets: readonly SecretKey[]): Promise<void> {
	writeFileSync(file(name), serializeDraft(await signed(draftAt(name), secrets)));
}

async function signed(draft: Draft, secrets: readonly SecretKey[]): Promise<Draft> {
	let copy = draft;
	for (const secret of secrets) copy = await signDraft(copy, secret);
	return copy;
}

describe("the first versions", () => {
	test("wait as drafts until enough of the keys have signed, each copy apart", async () => {
		const { live: none, waiting } = await ceremony().init(spec(), []);
		expect([none, waiting.length, staged()]).toEqual([[], 2, ["1.root.json", "1.targets.json"]]);
		await expect(registry.listen({ host: "127.0.0.1", port: 0 })).rejects.toMatchObject({
			code: "REGISTRY_NOT_INITIALISED",
		});
		expect(await refusal(() => ceremony().accept([]))).toBe("REGISTRY_DRAFT_INCOMPLETE");
		const [root, targets] = [draftAt("1.root.json"), draftAt("1.targets.json")];
		const copies = [await signed(root, [roots[0]!]), await signed(targets, [signers[0]!])];
		// Too few, and kept: what came with this copy need not come again.
		expect(await refusal(() => ceremony().accept(copies))).toBe("REGISTRY_DRAFT_INCOMPLETE");
		expect(draftAt("1.root.json").metadata.signatures).toHaveLength(1);
		const more = [await signed(root, [roots[2]!]), await signed(targets, [signers[1]!])];
		expect((await ceremony().accept(more)).live).toHaveLength(2);
		expect(staged()).toEqual([]);
		await readsWell();
		expect(await refusal(() => ceremony().init(spec(), []))).toBe("REGISTRY_ALREADY_INITIALISED");
		expect(await refusal(() => ceremony().accept([]))).toBe("REGISTRY_DRAFT_NONE");
		expect(await refusal(() => ceremony().accept(more))).toBe("REGISTRY_DRAFT_OVERTAKEN");
	});

	test("can be changed while they wait; nothing is half made by a wrong wish", async () => {
		expect(await refusal(() => ceremony().rotate({ role: "root", days: 9, online: false }, []))).toBe(
			"REGISTRY_NOT_INITIALISED",
		);
		const wrong = spec({ root: { keys: publics(roots), threshold: 4 } });
		expect(await refusal(() => ceremony().init(wrong, []))).toBe("DRAFT_ROLE_KEYS");
		expect(await refusal(() => ceremony().init(spec({ bins: 3 }), []))).toBe("TRUST_MALFORMED");
		expect(await refusal(() => ceremony().init(spec({ origin: "a b" }), []))).toBe("KEY_MALFORMED");
		expect([staged(), existsSync(join(folder, "keys"))]).toEqual([[], false]);
		await ceremony().init(spec(), []);
		expect(await refusal(() => ceremony().init(spec(), []))).toBe("REGISTRY_ALREADY_INITIALISED");
		await signStaged("1.root.json", [roots[0]!]);
		await signStaged("1.targets.json", signers);
		const request = { role: "root", key: fresh.publicKey, threshold: undefined } as const;
		expect(await ceremony().addSigner(request, [])).toMatchObject({ voided: 1, changed: true });
		await signStaged("1.root.json", [fresh, roots[0]!]);
		await ceremony().accept([]);
		await readsWell();
	});

	test("an init that was killed after it had made the keys can be run again", async () => {
		await ceremony().init(spec(), []);
		const keys = readFileSync(join(folder, "keys/online.json"));
		rmSync(join(folder, "staged"), { recursive: true });
		await initialised();
		expect(readFileSync(join(folder, "keys/online.json")).equals(keys)).toBe(true);
	});
});

describe("the next versions", () => {
	beforeEach(initialised);

	test("a later expiry, of each role, signed at once or later", async () => {
		const { live: now } = await ceremony().rotate({ role: "root", days: 30, online: false }, roots.slice(1));
		expect(now).toMatchObject([{ role: "root", version: 2 }]);
		await readsWell();
		await ceremony().rotate({ role: "targets", days: undefined, online: false }, [signers[0]!]);
		expect(staged()).toEqual(["2.targets.json"]);
		await signStaged("2.targets.json", [signers[1]!]);
		await ceremony().accept([]);
		await readsWell();
	});

	test("new online keys are root and targets both; the old ones are gone once both are live", async () => {
		const before = readFileSync(join(folder, "keys/online.json"), "utf8");
		await ceremony().rotate({ role: "root", days: undefined, online: true }, []);
		expect(staged()).toEqual(["2.root.json", "2.targets.json"]);
		await signStaged("2.root.json", roots);
		await ceremony().accept([draftAt("2.root.json")]);
		await readsWell();
		expect(staged()).toEqual(["2.targets.json"]);
		await signStaged("2.targets.json", signers);
		await ceremony().accept([]);
		await readsWell();
		const after = readFileSync(join(folder, "keys/online.json"), "utf8");
		for (const role of ["bins", "snapshot", "timestamp"]) {
			expect(JSON.parse(after)[role]).not.toBe(JSON.parse(before)[role]);
		}
		expect(existsSync(join(folder, "keys/next.json"))).toBe(false);
	});

	test("a rotation that is refused leaves alone the one that waits, with its keys and the signatures that are out", async () => {
		await ceremony().rotate({ role: "root", days: undefined, online: true }, []);
		const copies = await Promise.all(
			[draftAt("2.root.json"), draftAt("2.targets.json")].map((draft) =>
				signed(draft, draft.role === "root" ? roots : signers),
			),
		);
		const again = () => ceremony().rotate({ role: "root", days: undefined, online: true }, [fresh]);
		expect(await refusal(again)).toBe("DRAFT_FOREIGN_KEY");
		expect((await ceremony().accept(copies)).live).toHaveLength(2);
		await readsWell();
	});

	test("a copy that nobody drafted here and too few signed does not wait, or the next change would sign it along", async () => {
		const add = (name: string, secrets: readonly SecretKey[]) =>
			ceremony().changePublishers(
				async (map) => withPublisher(map, { name, keys: [fresh.publicKey], threshold: 1 }),
				secrets,
			);
		await add("evil", []);
		const evil = await signed(draftAt("2.targets.json"), [signers[0]!]);
		rmSync(file("2.targets.json"));
		expect(await refusal(() => ceremony().accept([evil]))).toBe("REGISTRY_DRAFT_INCOMPLETE");
		expect(staged()).toEqual([]);
		await add("gro", signers);
		const { live: map } = await ceremony().publishers();
		expect(map.publishers.map(({ names }) => names)).toEqual([["gro"]]);
	});

	test("a registry document that no host would believe is refused, and no draft of it waits", async () => {
		const key = verifierKey("other.example/log", "ed25519", fresh.publicKey);
		const add = () =>
			ceremony().changeRegistryDocument((document) => ({ ...document, witnesses: [key] }), signers);
		expect(await refusal(add)).toBe("TRUST_MALFORMED");
		expect(staged()).toEqual([]);
	});

	test("a root signer is replaced: the old threshold and the new one must sign", async () => {
		const remove = { role: "root", keyid: idOf(roots[0]!), threshold: 3 } as const;
		await ceremony().addSigner({ role: "root", key: fresh.publicKey, threshold: 3 }, []);
		await ceremony().removeSigner(remove, []);
		const name = "2.root.json";
		const draft = draftAt(name);
		const variants: [string, SecretKey[]][] = [
			["only the old threshold", roots.slice(0, 2)],
			["two of three new ones, which are not two old ones", [fresh, roots[1]!]],
			["nobody", []],
		];
		for (const [, by] of variants) {
			writeFileSync(file(name), serializeDraft(await signed(draft, by)));
			expect(await refusal(() => ceremony().accept([]))).toBe("REGISTRY_DRAFT_INCOMPLETE");
		}
		const foreign = (await signed(draft, [roots[1]!])).metadata.signatures[0]!;
		const forge = (keyid: string) => {
			const forged = { ...foreign, keyid };
			const metadata = { ...draft.metadata, signatures: [forged] };
			return ceremony().accept([{ ...draft, metadata } as unknown as Draft]);
		};
		expect(await refusal(() => forge(idOf(fresh)))).toBe("TRUST_SIGNATURES");
		expect(await refusal(() => forge(idOf(signers[0]!)))).toBe("DRAFT_FOREIGN_KEY");
		writeFileSync(file(name), serializeDraft(await signed(draft, [fresh, ...roots.slice(1)])));
		await ceremony().accept([]);
		await readsWell();
		const old = ceremony().rotate({ role: "root", days: undefined, online: false }, roots);
		expect(await refusal(() => old)).toBe("DRAFT_FOREIGN_KEY");
		await ceremony().rotate({ role: "root", days: undefined, online: false }, [fresh, ...roots.slice(1)]);
		await readsWell();
	});

	test("a targets signer is replaced: live targets that the new root would not vouch for are signed again, and go live with it", async () => {
		await ceremony().addSigner({ role: "targets", key: fresh.publicKey, threshold: undefined }, []);
		expect(staged()).toEqual(["2.root.json"]);
		await ceremony().removeSigner({ role: "targets", keyid: idOf(signers[0]!), threshold: undefined }, []);
		expect(staged()).toEqual(["2.root.json", "2.targets.json"]);
		await signStaged("2.root.json", roots);
		expect(await refusal(() => ceremony().accept([]))).toBe("REGISTRY_DRAFT_INCOMPLETE");
		// Also when only root is named: alone it would leave targets that every client refuses.
		expect(await refusal(() => ceremony().accept([draftAt("2.root.json")]))).toBe(
			"REGISTRY_DRAFT_INCOMPLETE",
		);
		await signStaged("2.targets.json", [fresh, signers[1]!]);
		expect((await ceremony().accept([])).live).toHaveLength(2);
		await readsWell();
	});

	test("a targets threshold is raised and lowered; targets that the same keys signed stay", async () => {
		const request = { role: "targets", key: signers[0]!.publicKey } as const;
		const lower = await ceremony().addSigner({ ...request, threshold: 1 }, roots.slice(0, 2));
		expect(lower.live).toMatchObject([{ role: "root", version: 2 }]);
		await readsWell();
		expect(await ceremony().addSigner({ ...request, threshold: 1 }, [])).toMatchObject({ changed: false });
		await ceremony().addSigner({ ...request, threshold: 2 }, roots.slice(0, 2));
		await readsWell();
	});

	test("the authorisation map: changes that wait come together in one draft", async () => {
		const add = (name: string, secrets: readonly SecretKey[]) =>
			ceremony().changePublishers(
				async (map) => withPublisher(map, { name, keys: [fresh.publicKey], threshold: 1 }),
				secrets,
			);
		await add("gro", []);
		expect(await ceremony().publishers()).toMatchObject({
			live: { publishers: [] },
			waiting: { publishers: [{}] },
		});
		const unseen = await refusal(() => add("tso", signers));
		expect([unseen, staged()]).toEqual(["REGISTRY_DRAFT_UNSEEN", ["2.targets.json"]]);
		await signStaged("2.targets.json", signers);
		await add("tso", signers);
		const document = await metadata.read((reads) => reads.currentDocument(PUBLISHERS_TARGET));
		expect(parsePublishers(document!.bytes).publishers.map(({ names }) => names)).toEqual([["gro"], ["tso"]]);
		expect(await ceremony().publishers()).toMatchObject({ waiting: undefined });
		await readsWell();
		expect(await add("tso", signers)).toMatchObject({ changed: false, live: [], waiting: [] });
		expect(await refusal(() => add("x", [roots[0]!]))).toBe("DRAFT_FOREIGN_KEY");
		expect(staged()).toEqual([]);
	});

	test("a plain new root does not disturb targets that wait, nor the copies of them that are out", async () => {
		await ceremony().rotate({ role: "targets", days: undefined, online: false }, []);
		const copy = await signed(draftAt("2.targets.json"), signers);
		await ceremony().rotate({ role: "root", days: undefined, online: false }, roots);
		await ceremony().accept([copy]);
		await readsWell();
	});

	test("an overtaken draft is refused with what to do, and so is one of another registry", async () => {
		await ceremony().rotate({ role: "root", days: 100, online: false }, []);
		const old = await signed(draftAt("2.root.json"), roots);
		await ceremony().rotate({ role: "root", days: 200, online: false }, []);
		await signStaged("2.root.json", roots);
		await ceremony().accept([]);
		await expect(ceremony().accept([old])).rejects.toMatchObject({
			code: "REGISTRY_DRAFT_OVERTAKEN",
			hint: expect.stringContaining("make the change again"),
		});
		await ceremony().rotate({ role: "root", days: 300, online: false }, []);
		const next = await signed(draftAt("3.root.json"), roots);
		const { metadata: before } = next.previous! as { metadata: typeof next.metadata };
		const other = { ...before, signatures: before.signatures.slice(0, 2) };
		const foreign = { ...next, previous: { metadata: other } } as Draft;
		expect(Buffer.from(serializeEnvelope(other)).equals(serializeEnvelope(before))).toBe(false);
		expect(await refusal(() => ceremony().accept([foreign]))).toBe("REGISTRY_DRAFT_FOREIGN");
	});

	test("two different drafts of one version do not come together", async () => {
		await ceremony().rotate({ role: "root", days: 100, online: false }, []);
		const first = await signed(draftAt("2.root.json"), [roots[0]!]);
		await ceremony().rotate({ role: "root", days: 200, online: false }, []);
		expect(await refusal(() => ceremony().accept([first]))).toBe("DRAFT_DIFFERS");
	});

	test("what expires before it is live is refused, and nothing of it is live", async () => {
		await ceremony().rotate({ role: "root", days: 1, online: false }, []);
		const late = await openRegistry({ dataDir: folder, now: () => new Date(Date.now() + 2 * 86_400_000) });
		try {
			await signStaged("2.root.json", roots);
			expect(await refusal(() => late.ceremony.accept([]))).toBe("TRUST_EXPIRED");
		} finally {
			await late.close();
		}
	});

	test("online keys that the folder does not have are refused", async () => {
		await ceremony().rotate({ role: "root", days: undefined, online: true }, []);
		await signStaged("2.root.json", roots);
		copyFileSync(join(folder, "keys/next.json"), join(folder, "next.bak"));
		rmSync(join(folder, "keys/next.json"));
		expect(await refusal(() => ceremony().accept([draftAt("2.root.json")]))).toBe("REGISTRY_KEYS_UNUSABLE");
		copyFileSync(join(folder, "next.bak"), join(folder, "keys/next.json"));
		await ceremony().accept([draftAt("2.root.json")]);
		await readsWell();
	});

	test("two at once: the second is told to wait", async () => {
		const lock = takeDraftLock(folder);
		expect(await refusal(() => ceremony().accept([]))).toBe("REGISTRY_DRAFT_BUSY");
		lock.release();
	});

	test("a staged file that was damaged is refused, not overwritten by an accept", async () => {
		await ceremony().rotate({ role: "root", days: 100, online: false }, []);
		writeFileSync(file("2.root.json"), readFileSync(file("2.root.json")).subarray(0, 100));
		expect(await refusal(() => ceremony().accept([]))).toBe("DRAFT_MALFORMED");
	});
});
