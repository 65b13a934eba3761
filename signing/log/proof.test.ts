// Inclusion proofs as files: what one proves offline, and every way in which one proves nothing. Entries and their one spelling.
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "../ed25519.ts";
import { signCheckpoint } from "./checkpoint.ts";
import { type LogEntry, parseLogEntry, serializeLogEntry } from "./entry.ts";
import { verifierKey } from "./note.ts";
import { type LogProof, openProof, parseProof, serializeProof } from "./proof.ts";
import { GrowingLog } from "./testing/growing-log.ts";

const ORIGIN = "registry.example/log";
const code = (name: string) => expect.objectContaining({ code: name });
const entry = (n: number): LogEntry => ({
	at: "2026-01-02T03:04:05.678Z",
	type: "publish",
	name: "flow-dissector",
	version: `1.0.${n}`,
	sha256: n.toString(16).padStart(64, "0"),
	manifestSha256: "b".repeat(64),
	tag: `kfn1:${"c".repeat(64)}`,
});

let key: SecretKey;
let proofs: LogProof[];
beforeAll(async () => {
	key = await generateKeyPair();
	const entries = Array.from({ length: 300 }, (_, n) => serializeLogEntry(entry(n)));
	const tree = GrowingLog.of(entries).tree();
	const checkpoint = await signCheckpoint(ORIGIN, tree.head, key);
	const proof = async (index: number) => {
		const hashes = await tree.inclusionProof(index);
		return { entry: entries[index]!, index, hashes, checkpoint };
	};
	proofs = await Promise.all([0, 7, 299].map(proof));
});
const trust = () => ({
	origin: ORIGIN,
	key: verifierKey(ORIGIN, "ed25519", key.publicKey),
	witnesses: [],
	quorum: 0,
});

test("a proof is verified with the log's key alone", async () => {
	for (const proof of proofs) {
		const proved = await openProof(serializeProof(proof), trust());
		expect(proved.index).toBe(proof.index);
		expect(parseLogEntry(proved.entry)).toEqual(entry(proof.index));
	}
});

test("its text is that of the specification, with the entry as extra", () => {
	const lines = Buffer.from(serializeProof(proofs[1]!)).toString().split("\n");
	expect(lines[0]).toBe("c2sp.org/tlog-proof@v1");
	expect(lines[1]).toBe(`extra ${Buffer.from(proofs[1]!.entry).toString("base64")}`);
	expect(lines[2]).toBe("index 7");
	expect(lines[3 + proofs[1]!.hashes.length]).toBe("");
	expect(lines[4 + proofs[1]!.hashes.length]).toBe(ORIGIN);
});

test("the proof of another entry, index, path or checkpoint", async () => {
	const [first, second] = proofs as [LogProof, LogProof];
	const other = await signCheckpoint(ORIGIN, { size: 300, root: Buffer.alloc(32, 1) }, key);
	const changed: LogProof[] = [
		{ ...first, entry: second.entry },
		{ ...first, index: 1 },
		{ ...first, index: 300 },
		{ ...first, hashes: second.hashes },
		{ ...first, hashes: first.hashes.slice(1) },
		{ ...first, hashes: [...first.hashes, first.hashes[0]!] },
		{ ...first, checkpoint: other },
	];
	for (const proof of changed) {
		await expect(openProof(serializeProof(proof), trust())).rejects.toEqual(code("LOG_NOT_INCLUDED"));
	}
});

test("a checkpoint of a log that nobody trusts", async () => {
	const stranger = await signCheckpoint(ORIGIN, { size: 1, root: Buffer.alloc(32) }, await generateKeyPair());
	const bytes = serializeProof({ ...proofs[0]!, checkpoint: stranger });
	await expect(openProof(bytes, trust())).rejects.toEqual(code("LOG_SIGNATURE"));
});

describe("malformed proof files", () => {
	const edit = (change: (text: string) => string) =>
		Buffer.from(change(Buffer.from(serializeProof(proofs[0]!)).toString()));

	test.each<[string, (text: string) => string]>([
		["another header", (text) => text.replace("@v1", "@v2")],
		["no extra", (text) => text.replace(/extra .*\n/, "")],
		["an empty extra", (text) => text.replace(/extra .*\n/, "extra \n")],
		["extra twice", (text) => text.replace(/(extra .*\n)/, "$1$1")],
		["no index", (text) => text.replace(/index .*\n/, "")],
		["a leading zero", (text) => text.replace("index 0", "index 00")],
		["a negative index", (text) => text.replace("index 0", "index -1")],
		["an index beyond exact numbers", (text) => text.replace("index 0", "index 9007199254740993")],
		["a hash cut short", (text) => text.replace("index 0\n", "index 0\nAAAA\n")],
		["64 hashes", (text) => text.replace("index 0\n", `index 0\n${`${"A".repeat(43)}=\n`.repeat(64)}`)],
		["carriage returns", (text) => text.replaceAll("\n", "\r\n")],
		["only its head", (text) => text.slice(0, text.indexOf("\n\n"))],
		["nothing", () => ""],
	])("%s", (_, change) => {
		expect(() => parseProof(edit(change))).toThrow(code("LOG_PROOF_MALFORMED"));
	});

	test("no checkpoint after its head", async () => {
		const bytes = edit((text) => text.slice(0, text.indexOf("\n\n") + 2));
		await expect(openProof(bytes, trust())).rejects.toEqual(code("LOG_CHECKPOINT_MALFORMED"));
	});
});

describe("entries", () => {
	const at = "2026-01-02T03:04:05.678Z";
	const [name, version, sha256] = ["gro", "1.2.3-rc.1", "a".repeat(64)];
	const all: LogEntry[] = [
		entry(1),
		{ at, type: "yank", name, version, sha256 },
		{ at, type: "unyank", name, version, sha256 },
		{ at, type: "root", version: 2, sha256 },
		{ at, type: "targets", version: 7, sha256 },
		{ at, type: "publishers", sha256 },
		{ at, type: "vendors", sha256 },
		{ at, type: "statement", kind: "permit", name, id: "1f", serial: 0, sha256 },
	];

	test.each(all)("$type has one line and comes back", (one) => {
		const bytes = serializeLogEntry(one);
		expect(Buffer.from(bytes).toString()).toMatch(/^\{"schema":"kfn\.log-entry\/1","at":"[^\n]*\}$/);
		expect(parseLogEntry(bytes)).toEqual(one);
	});

	test.each([
		["a second spelling", (text: string) => text.replace(":", ": ")],
		["an unknown type", (text: string) => text.replace('"publish"', '"delete"')],
		["the type of Object's prototype", (text: string) => text.replace('"publish"', '"constructor"')],
		["the fields of another type", (text: string) => text.replace('"publish"', '"yank"')],
		["another schema", (text: string) => text.replace("entry/1", "entry/2")],
		["a time that is none", (text: string) => text.replace("2026-01-02", "2026-02-30")],
		["a time without milliseconds", (text: string) => text.replace(".678", "")],
		["a digest in capitals", (text: string) => text.replace("bbbb", "BBBB")],
		["a name that is none", (text: string) => text.replace("flow-dissector", "../etc")],
		["a version that is none", (text: string) => text.replace("1.0.1", "latest")],
		["a field twice", (text: string) => text.replace('"name":', '"name":"x","name":')],
		["a newline at the end", (text: string) => `${text}\n`],
		["a list", () => "[]"],
		["null", () => "null"],
		["nothing", () => ""],
	])("%s is refused", (_, change) => {
		const bytes = Buffer.from(change(Buffer.from(serializeLogEntry(entry(1))).toString()));
		expect(() => parseLogEntry(bytes)).toThrow(code("LOG_ENTRY_MALFORMED"));
	});
});
