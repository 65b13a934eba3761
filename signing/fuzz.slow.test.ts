// Mutated files against every parser of this folder: a value or a SigningError, never anything else, and a value only of
// the spelling that its serialiser writes. Bounded and seeded: KFN_FUZZ_SEED repeats a run, KFN_FUZZ_RUNS prolongs it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { TufRepository } from "#test/harness/tuf-repository.ts";
import { type SecretKey, secretKeyOfSeed } from "./ed25519.ts";
import { type LogTrust, openCheckpoint, signCheckpoint } from "./log/checkpoint.ts";
import { parseLogEntry, serializeLogEntry } from "./log/entry.ts";
import { leafHash, rootOfHashes } from "./log/merkle.ts";
import { formatVerifierKey, parseNote, parseVerifierKey, serializeNote, verifierKey } from "./log/note.ts";
import { openProof, parseProof, serializeProof } from "./log/proof.ts";
import { decodeEntries, encodeEntries, parseTilePath, tilePath } from "./log/tile.ts";
import { formatPublicKey, parsePublicKey, parsePublicKeyFile } from "./public-key.ts";
import { parsePublishers, publisherFor, serializePublishers } from "./publishers.ts";
import { parseRegistryDocument, serializeRegistryDocument } from "./registry-document.ts";
import { decryptSecretKey, formatSeed, parseSeed, publicKeyOfSecretFile } from "./secret-key-file.ts";
import { addSignature, parseSignatureFile, serializeSignatureFile } from "./signature-file.ts";
import { fuzz, RUNS, SEED } from "./testing/fuzz.ts";
import type { FetchFile } from "./tuf/fetch-port.ts";
import { TrustUpdater } from "./tuf/updater.ts";
import { verifyManifest } from "./verify.ts";

const MANIFEST = Buffer.from('{"name":"gro"}\n');
/** The key of the seed 01…01 under the passphrase "pass": fixed, since a new one would have a new salt. */
const SECRET_FILE = `kfn-ed25519-secret 1
keyid: 34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e
public: iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=
kdf: argon2id t=1 m=8 p=1 salt=5LqmgC4bfCsv1yeCaLX3Hg==
cipher: xchacha20poly1305 nonce=gm5ZQoc1VW+aXiXIVl5A6+fi7Km1wuMD
secret: Yp7ICWS/jkhJY9DSOPSIOSwx6503ADmVpT1pIfwFNhFxoWSg+5nokPa0y9cuAqrZ
`;

/** C2SP signed-note's example. */
const VERIFIER_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const ENTRY = Buffer.from(
	serializeLogEntry({
		at: "2026-01-02T03:04:05.678Z",
		type: "yank",
		name: "gro",
		version: "1.0.0",
		sha256: "a".repeat(64),
	}),
);

let line: string;
let checkpoint: Buffer;
let logTrust: LogTrust;
let proof: Buffer;
let seedLine: string;
let signatures: Buffer;
let publishers: Buffer;
beforeAll(async () => {
	const [one, two] = (await Promise.all(
		[1, 2].map((n) => secretKeyOfSeed(Buffer.alloc(32, n), `key ${n}`)),
	)) as [SecretKey, SecretKey];
	line = formatPublicKey(one.publicKey);
	seedLine = formatSeed(one);
	const leaves = [leafHash(ENTRY), leafHash(Buffer.of(1)), leafHash(Buffer.of(2))] as const;
	const head = { size: 3, root: rootOfHashes(leaves) };
	logTrust = {
		origin: "a.b/log",
		key: verifierKey("a.b/log", "ed25519", one.publicKey),
		witnesses: [],
		quorum: 0,
	};
	checkpoint = Buffer.from(await signCheckpoint(logTrust.origin, head, one));
	proof = Buffer.from(serializeProof({ entry: ENTRY, index: 0, hashes: leaves.slice(1), checkpoint }));
	const unsigned = serializeSignatureFile([]);
	signatures = Buffer.from(await addSignature(await addSignature(unsigned, one, MANIFEST), two, MANIFEST));
	const entry = { names: ["gro", "acme-*"], threshold: 2, keys: [one.publicKey, two.publicKey] };
	publishers = Buffer.from(
		serializePublishers({ publishers: [entry, { ...entry, names: ["*"], threshold: 1 }] }),
	);
});

describe(`seed ${SEED}, ${RUNS} runs`, () => {
	test("signature files", async () => {
		const by = publisherFor(parsePublishers(publishers), "gro");
		const outcomes = await fuzz(signatures, async (bytes) => {
			const parsed = parseSignatureFile(bytes);
			expect(Buffer.from(serializeSignatureFile(parsed))).toEqual(bytes);
			await verifyManifest(MANIFEST, bytes, by);
			expect(bytes).toEqual(signatures);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["SIGNATURE_MALFORMED", "SIGNATURE_INVALID", "SIGNATURE_UNKNOWN_KEY"]),
		);
	});

	test("publishers files", async () => {
		const outcomes = await fuzz(publishers, (bytes) => {
			const parsed = parsePublishers(bytes);
			expect(parsePublishers(serializePublishers(parsed))).toEqual(parsed);
			for (const { threshold, keys } of parsed.publishers) {
				expect(threshold).toBeGreaterThanOrEqual(1);
				expect(threshold).toBeLessThanOrEqual(new Set(keys.map((key) => key.keyid)).size);
			}
			publisherFor(parsed, "gro");
		});
		expect(outcomes).toEqual(expect.arrayContaining(["PUBLISHERS_MALFORMED", "value"]));
	});

	test("public key lines", async () => {
		const outcomes = await fuzz(Buffer.from(line), (bytes) => {
			const text = bytes.toString("utf8");
			expect(formatPublicKey(parsePublicKey(text))).toBe(text);
			parsePublicKeyFile(text);
		});
		expect(outcomes).toEqual(expect.arrayContaining(["KEY_MALFORMED", "KEY_ID_MISMATCH", "value"]));
	});

	test("verifier keys and kfn/registry.json", async () => {
		const keys = await fuzz(Buffer.from(VERIFIER_KEY), (bytes) => {
			const text = bytes.toString("utf8");
			expect(formatVerifierKey(parseVerifierKey(text))).toBe(text);
		});
		expect(keys).toEqual(expect.arrayContaining(["KEY_MALFORMED", "KEY_ID_MISMATCH", "value"]));
		const document = {
			origin: "example.com/foo",
			log: { key: parseVerifierKey(VERIFIER_KEY) },
			witnesses: [],
			quorum: 0,
		};
		const documents = await fuzz(Buffer.from(serializeRegistryDocument(document)), (bytes) => {
			expect(Buffer.from(serializeRegistryDocument(parseRegistryDocument(bytes)))).toEqual(bytes);
		});
		expect(documents).toEqual(expect.arrayContaining(["TRUST_MALFORMED", "KEY_MALFORMED", "value"]));
	});

	test("checkpoints", async () => {
		const outcomes = await fuzz(checkpoint, async (bytes) => {
			expect(Buffer.from(serializeNote(parseNote(bytes)))).toEqual(bytes);
			await openCheckpoint(bytes, logTrust);
			// What opens has the signed text; the cosignature of a key that is not asked for may be anything.
			expect(parseNote(bytes).text).toBe(parseNote(checkpoint).text);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["LOG_CHECKPOINT_MALFORMED", "LOG_SIGNATURE", "LOG_ORIGIN"]),
		);
	});

	test("inclusion proofs", async () => {
		const outcomes = await fuzz(proof, async (bytes) => {
			expect(Buffer.from(serializeProof(parseProof(bytes)))).toEqual(bytes);
			const { entry, index } = await openProof(bytes, logTrust);
			expect([Buffer.from(entry), index]).toEqual([ENTRY, 0]);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["LOG_PROOF_MALFORMED", "LOG_NOT_INCLUDED", "LOG_SIGNATURE"]),
		);
	});

	test("log entries, entry bundles and tile paths", async () => {
		const entries = await fuzz(ENTRY, (bytes) => {
			expect(Buffer.from(serializeLogEntry(parseLogEntry(bytes)))).toEqual(bytes);
		});
		expect(entries).toEqual(expect.arrayContaining(["LOG_ENTRY_MALFORMED", "value"]));
		const width = { level: "entries", index: 0, width: 3 } as const;
		const bundles = await fuzz(Buffer.from(encodeEntries([ENTRY, Buffer.alloc(0), ENTRY])), (bytes) => {
			expect(Buffer.from(encodeEntries(decodeEntries(bytes, width)))).toEqual(bytes);
		});
		expect(bundles).toEqual(expect.arrayContaining(["LOG_TILE", "value"]));
		const paths = new Set<boolean>();
		await fuzz(Buffer.from("tile/entries/x001/x234/067.p/112"), (bytes) => {
			const name = parseTilePath(bytes.toString("utf8"));
			paths.add(name === undefined);
			if (name !== undefined) expect(tilePath(name)).toBe(bytes.toString("utf8"));
		});
		expect([...paths].sort()).toEqual([false, true]);
	});

	test("secret key files and seed lines", async () => {
		const outcomes = await fuzz(Buffer.from(SECRET_FILE), async (bytes) => {
			const text = bytes.toString("latin1");
			publicKeyOfSecretFile(text);
			// A mutated cost within the limits is allowed to take its second; not in this loop.
			if (Number(/ m=(\d+) /.exec(text)?.[1]) >= 4096) return;
			await decryptSecretKey(text, "pass");
			expect(text).toBe(SECRET_FILE);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["KEY_MALFORMED", "KEY_ID_MISMATCH", "KEY_WRONG_PASSPHRASE"]),
		);
		const seeds = await fuzz(Buffer.from(seedLine), async (bytes) => {
			await parseSeed(bytes.toString("latin1"));
		});
		expect(seeds).toEqual(expect.arrayContaining(["KEY_MALFORMED", "value"]));
	});
});

test("TUF metadata on a client's walk: one of ours is the reason, and what is accepted says what was signed", async () => {
	const now = new Date("2026-11-28T12:00:00Z");
	const repository = await TufRepository.make({ now, bins: 2 });
	await repository.signRoot();
	await repository.publish("kfn/registry.json", Buffer.from("{}\n"));
	const trusted = new Map([["root", repository.file("metadata/1.root.json")]]);
	const scratch = mkdtempSync(join(tmpdir(), "kfn-fuzz-walk-"));
	const seen = new Set<string>();
	for (const name of ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"]) {
		const original = Buffer.from(repository.file(`metadata/${name}`));
		const outcomes = await fuzz(
			original,
			async (bytes) => {
				const files = new Map(repository.files).set(`v1/metadata/${name}`, bytes);
				const fetch: FetchFile = async (path) => files.get(`v1/${path}`) ?? "missing";
				rmSync(scratch, { recursive: true, force: true });
				await new TrustUpdater({ scratch, trusted, fetch, referenceTime: now, policy: "ed25519" }).refresh();
				const signed = (json: Buffer) => JSON.parse(json.toString("utf8")).signed;
				expect(signed(bytes)).toEqual(signed(original));
			},
			RUNS / 60,
		);
		for (const outcome of outcomes) seen.add(outcome);
	}
	rmSync(scratch, { recursive: true, force: true });
	expect([...seen]).toEqual(
		expect.arrayContaining(["TRUST_MALFORMED", "TRUST_MISMATCH", "TRUST_SIGNATURES", "value"]),
	);
});
