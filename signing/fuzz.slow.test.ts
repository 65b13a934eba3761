// Mutated files against every parser of this folder: a value or a SigningError, never anything else, and a value only of
// the spelling that its serialiser writes. Bounded and seeded: KFN_FUZZ_SEED repeats a run, KFN_FUZZ_RUNS prolongs it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, describe, expect, test } from "vitest";
import { TufRepository } from "#test/harness/tuf-repository.ts";
import {
	ADVISORY_PAYLOAD_TYPE,
	newAdvisory,
	openAdvisory,
	parseAdvisoryFile,
	unverifiedAdvisory,
} from "./advisory.ts";
import {
	CATALOGUE_PAYLOAD_TYPE,
	newCatalogue,
	openCatalogue,
	parseCatalogueFile,
	unverifiedCatalogue,
} from "./catalogue.ts";
import {
	CHANNEL_PAYLOAD_TYPE,
	type ChannelPointer,
	newChannel,
	openChannel,
	parseChannelFile,
	unverifiedChannel,
} from "./channel.ts";
import { type SecretKey, secretKeyOfSeed } from "./ed25519.ts";
import { serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
import { SigningError } from "./errors.ts";
import { type LogTrust, openCheckpoint, signCheckpoint } from "./log/checkpoint.ts";
import { parseLogEntry, serializeLogEntry } from "./log/entry.ts";
import { leafHash, rootOfHashes } from "./log/merkle.ts";
import { formatVerifierKey, parseNote, parseVerifierKey, serializeNote, verifierKey } from "./log/note.ts";
import { openProof, parseProof, serializeProof } from "./log/proof.ts";
import { decodeEntries, encodeEntries, parseTilePath, tilePath } from "./log/tile.ts";
import osvSchema from "./osv/schema.json" with { type: "json" };
import { spanHolds } from "./osv/span.ts";
import {
	newPermit,
	openPermit,
	PERMIT_PAYLOAD_TYPE,
	type Permit,
	parsePermitFile,
	unverifiedPermit,
} from "./permit.ts";
import { formatPublicKey, parsePublicKey, parsePublicKeyFile } from "./public-key.ts";
import { parsePublishers, publisherFor, serializePublishers } from "./publishers.ts";
import { parseRegistryDocument, serializeRegistryDocument } from "./registry-document.ts";
import { newRevocation, openRevocation, parseRevocationFile, unverifiedRevocation } from "./revocation.ts";
import { decryptSecretKey, formatSeed, parseSeed, publicKeyOfSecretFile } from "./secret-key-file.ts";
import { addSignature, parseSignatureFile, serializeSignatureFile } from "./signature-file.ts";
import { CATALOGUE, mapOf, vendor } from "./testing/catalogues.ts";
import type { FetchFile } from "./tuf/fetch-port.ts";
import { TrustUpdater } from "./tuf/updater.ts";
import { parseVendors, serializeVendors, type Vendors, vendorFor } from "./vendors.ts";
import { verifyManifest } from "./verify.ts";

const SEED = Number(process.env["KFN_FUZZ_SEED"] ?? 20261123);
const RUNS = Number(process.env["KFN_FUZZ_RUNS"] ?? 3000);
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
let permit: Buffer;
let advisory: Buffer;
let payload: Buffer;
let channel: Buffer;
let revocation: Buffer;
let catalogue: Buffer;
let cataloguePayload: Buffer;
let vendors: Vendors;
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
	const leave: Permit = {
		id: "0123456789abcdef".repeat(2),
		name: "gro",
		from: ">=1.0.1 <1.1.0||1.2.0" as Permit["from"],
		to: { version: "1.0.0", manifestSha256: "ab".repeat(32) },
		reason: "breaks é",
		issued: "2026-11-28T12:00:00Z",
		expires: "2026-12-12T12:00:00Z",
	};
	const envelope = await signDsseEnvelope(await signDsseEnvelope(newPermit(leave), one), two);
	permit = Buffer.from(serializeDsseEnvelope(envelope));
	payload = Buffer.from(envelope.payload);
	const revoking = newRevocation({
		...{ id: "0123456789abcdef".repeat(2), name: "gro", state: "revoked" },
		tags: [`kfn1:${"ab".repeat(32)}`],
		builds: [{ version: "1.0.1", manifestSha256: "cd".repeat(32) }],
		...{ advisory: "KFN-2026-0001", reason: "breaks é", issued: "2026-11-28T12:00:00Z" },
	});
	revocation = Buffer.from(
		serializeDsseEnvelope(await signDsseEnvelope(await signDsseEnvelope(revoking, one), two)),
	);
	const said = await signDsseEnvelope(await signDsseEnvelope(newAdvisory(ADVISORY), one), two);
	advisory = Buffer.from(serializeDsseEnvelope(said));
	const pointer: ChannelPointer = {
		name: "gro",
		channel: "candidate",
		version: "1.1.0-rc.1",
		manifestSha256: "ab".repeat(32),
		serial: 7,
		issued: "2026-11-28T12:00:00Z",
	};
	const pointing = await signDsseEnvelope(await signDsseEnvelope(newChannel(pointer), one), two);
	channel = Buffer.from(serializeDsseEnvelope(pointing));
	vendors = mapOf(vendor([one, two], { threshold: 2 }), vendor([one], { bus: "usb", devices: ["1001"] }));
	const signed = await signDsseEnvelope(await signDsseEnvelope(newCatalogue(CATALOGUE), one), two);
	catalogue = Buffer.from(serializeDsseEnvelope(signed));
	cataloguePayload = Buffer.from(signed.payload);
});

/** With a word of every part of the format; what a kernel's advisory has besides is advisory.md's example. */
const ADVISORY = {
	schema_version: "1.7.5",
	id: "x_KFN-2026-0002",
	modified: "2026-11-28T12:00:00Z",
	published: "2026-11-28T12:00:00Z",
	withdrawn: "2026-11-28T12:00:00Z",
	aliases: ["CVE-2026-1"],
	summary: "breaks é",
	details: "one\ntwo",
	severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }],
	affected: [
		{
			ranges: [{ type: "SEMVER", events: [{ introduced: "1.0.0-rc.1" }, { last_affected: "1.0.1" }] }],
			versions: ["0.9.0"],
			database_specific: {
				kfn: { bundle: "gro", function: "gro", abi: 1, tags: [`kfn1:${"ab".repeat(32)}`] },
			},
		},
	],
	references: [{ type: "WEB", url: "https://example.org/1" }],
	database_specific: { kfn: { schema: "kfn.advisory/1", kind: "bundle", names: ["gro"], fixedBy: [] } },
};

const KERNEL_ADVISORY = {
	...ADVISORY,
	affected: [
		{
			package: { ecosystem: "Linux", name: "Kernel" },
			ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "6.1.175" }] }],
			versions: ["6.2", "6.3.1"],
			database_specific: { kfn: { function: "gro" } },
		},
	],
	database_specific: {
		kfn: {
			schema: "kfn.advisory/1",
			kind: "kernel-code",
			names: ["gro"],
			fixedBy: [{ bundle: "gro", from: "1.0.1", config: { patch: ["a"], ports: [1], x: 2 } }],
		},
	},
};

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

	test("permit files", async () => {
		const map = parsePublishers(publishers);
		const outcomes = await fuzz(permit, async (bytes) => {
			const envelope = parsePermitFile(bytes);
			expect(Buffer.from(serializeDsseEnvelope(envelope))).toEqual(bytes);
			await openPermit(envelope, "gro", map);
			expect(bytes).toEqual(permit);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["PERMIT_MALFORMED", "SIGNATURE_INVALID", "SIGNATURE_UNKNOWN_KEY"]),
		);
	});

	test("permit payloads", async () => {
		const outcomes = await fuzz(payload, (bytes) => {
			const parsed = unverifiedPermit({ payloadType: PERMIT_PAYLOAD_TYPE, payload: bytes, signatures: [] });
			expect(Buffer.from(newPermit(parsed).payload)).toEqual(bytes);
			expect(Date.parse(parsed.expires) - Date.parse(parsed.issued)).toBeLessThanOrEqual(90 * 86_400_000);
		});
		expect(outcomes).toEqual(expect.arrayContaining(["PERMIT_MALFORMED", "value"]));
	});

	test("revocations", async () => {
		const map = parsePublishers(publishers);
		const outcomes = await fuzz(revocation, async (bytes) => {
			const envelope = parseRevocationFile(bytes);
			expect(Buffer.from(serializeDsseEnvelope(envelope))).toEqual(bytes);
			await openRevocation(envelope, "gro", map);
			expect(bytes).toEqual(revocation);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["REVOCATION_MALFORMED", "SIGNATURE_INVALID", "SIGNATURE_UNKNOWN_KEY"]),
		);
		const { payload: inside, payloadType } = parseRevocationFile(revocation);
		const payloads = await fuzz(Buffer.from(inside), (bytes) => {
			const parsed = unverifiedRevocation({ payloadType, payload: bytes, signatures: [] });
			expect(Buffer.from(newRevocation(parsed).payload)).toEqual(bytes);
		});
		expect(payloads).toEqual(expect.arrayContaining(["REVOCATION_MALFORMED", "value"]));
	});

	test("channel pointers", async () => {
		const map = parsePublishers(publishers);
		const outcomes = await fuzz(channel, async (bytes) => {
			const envelope = parseChannelFile(bytes);
			expect(Buffer.from(serializeDsseEnvelope(envelope))).toEqual(bytes);
			await openChannel(envelope, "gro", map);
			expect(bytes).toEqual(channel);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["CHANNEL_MALFORMED", "SIGNATURE_INVALID", "SIGNATURE_UNKNOWN_KEY"]),
		);
		const payloads = await fuzz(Buffer.from(parseChannelFile(channel).payload), (bytes) => {
			const parsed = unverifiedChannel({
				payloadType: CHANNEL_PAYLOAD_TYPE,
				payload: bytes,
				signatures: [],
			});
			expect(Buffer.from(newChannel(parsed).payload)).toEqual(bytes);
		});
		expect(payloads).toEqual(expect.arrayContaining(["CHANNEL_MALFORMED", "value"]));
	});

	test("catalogue files", async () => {
		const hardware = { bus: "pci", vendor: "e9a1", device: "1001" };
		const outcomes = await fuzz(catalogue, async (bytes) => {
			const envelope = parseCatalogueFile(bytes);
			expect(Buffer.from(serializeDsseEnvelope(envelope))).toEqual(bytes);
			await openCatalogue(envelope, vendors, hardware);
			expect(bytes).toEqual(catalogue);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["CATALOGUE_MALFORMED", "SIGNATURE_INVALID", "SIGNATURE_UNKNOWN_KEY"]),
		);
	});

	test("catalogue payloads", async () => {
		const outcomes = await fuzz(cataloguePayload, (bytes) => {
			const form = { payloadType: CATALOGUE_PAYLOAD_TYPE, payload: bytes, signatures: [] };
			const parsed = unverifiedCatalogue(form);
			expect(Buffer.from(newCatalogue(parsed).payload)).toEqual(bytes);
			expect(Date.parse(parsed.expires) - Date.parse(parsed.issued)).toBeLessThanOrEqual(400 * 86_400_000);
		});
		expect(outcomes).toEqual(expect.arrayContaining(["CATALOGUE_MALFORMED", "value"]));
	});

	test("vendors files", async () => {
		const outcomes = await fuzz(Buffer.from(serializeVendors(vendors)), (bytes) => {
			const parsed = parseVendors(bytes);
			expect(parseVendors(serializeVendors(parsed))).toEqual(parsed);
			for (const { threshold, keys } of parsed.vendors) expect(keys.length).toBeGreaterThanOrEqual(threshold);
			vendorFor(parsed, { bus: "pci", vendor: "e9a1", device: "1001" });
		});
		expect(outcomes).toEqual(expect.arrayContaining(["VENDORS_MALFORMED", "value"]));
	});
	test("advisory files", async () => {
		const map = parsePublishers(publishers);
		const outcomes = await fuzz(advisory, async (bytes) => {
			const envelope = parseAdvisoryFile(bytes);
			expect(Buffer.from(serializeDsseEnvelope(envelope))).toEqual(bytes);
			await openAdvisory(envelope, "gro", map, new Date("2026-11-29T12:00:00Z"));
			expect(bytes).toEqual(advisory);
		});
		expect(outcomes).toEqual(
			expect.arrayContaining(["ADVISORY_MALFORMED", "SIGNATURE_INVALID", "SIGNATURE_UNKNOWN_KEY"]),
		);
	});

	test.each([
		["of a bundle", ADVISORY],
		["of kernel code", KERNEL_ADVISORY],
	])(
		"advisory payloads %s: what is read is valid OSV, and ranges answer for every version",
		async (_kind, document) => {
			const valid = new Ajv2020({ strict: false, validateFormats: false }).compile(osvSchema);
			const original = Buffer.from(newAdvisory(document).payload);
			const outcomes = await fuzz(original, (bytes) => {
				const envelope = { payloadType: ADVISORY_PAYLOAD_TYPE, payload: bytes, signatures: [] };
				const advisory = unverifiedAdvisory(envelope);
				const value = JSON.parse(bytes.toString("utf8"));
				expect(valid(value)).toBe(true);
				expect(Buffer.from(newAdvisory(value).payload)).toEqual(bytes);
				const kind = advisory.kind === "bundle" ? "bundle" : "kernel";
				for (const { spans } of [...advisory.bundles, ...advisory.kernels]) {
					for (const span of spans) expect(typeof spanHolds(span, "1.0.1", kind)).toBe("boolean");
				}
			});
			expect(outcomes).toEqual(expect.arrayContaining(["ADVISORY_MALFORMED", "value"]));
		},
	);

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

/** Runs `parse` on mutations of `original`; the distinct outcomes. Anything but a value or a SigningError fails with its input. */
async function fuzz(original: Buffer, parse: (bytes: Buffer) => unknown, runs = RUNS): Promise<string[]> {
	const random = randomOf(SEED);
	const outcomes = new Set<string>();
	for (let run = 0; run < runs; run++) {
		const bytes = mutate(original, random);
		try {
			await parse(bytes);
			outcomes.add("value");
		} catch (error) {
			if (!(error instanceof SigningError)) {
				throw new Error(`run ${run}: ${JSON.stringify(bytes.toString("latin1"))}`, { cause: error });
			}
			expect(error.message).toMatch(/^[\x20-\x7e…]*$/);
			outcomes.add(error.code);
		}
	}
	return [...outcomes];
}

type Random = (below: number) => number;

/** xorshift32: any generator does, as long as a seed repeats it. */
function randomOf(seed: number): Random {
	let state = seed >>> 0 || 1;
	return (below) => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		state >>>= 0;
		return state % below;
	};
}

const TOKENS = [
	"{",
	"}",
	"[",
	"]",
	'"',
	",",
	":",
	"null",
	"0",
	"-1",
	"1e9",
	"\\u0000",
	"__proto__",
	"\n",
	" ",
	"9",
	"a",
	"A",
	"=",
	"\u00e9",
	"*",
];

function mutate(original: Buffer, random: Random): Buffer {
	let bytes = original;
	for (let times = 1 + random(3); times > 0; times--) {
		const at = random(bytes.length + 1);
		const end = Math.min(bytes.length, at + 1 + random(random(2) === 0 ? 4 : 200));
		const replacements = [
			Buffer.of(random(256)),
			Buffer.from(TOKENS[random(TOKENS.length)]!),
			Buffer.alloc(0),
			Buffer.concat([bytes.subarray(at, end), bytes.subarray(at, end)]),
			Buffer.from("0123456789abcdefABCXYZ+/".charAt(random(24))),
		];
		const kind = random(replacements.length);
		// A single byte takes a single byte's place, so that many mutations stay well-formed and get past the first check.
		const until = kind === 0 || kind === 4 ? Math.min(bytes.length, at + 1) : end;
		bytes = Buffer.concat([
			bytes.subarray(0, at),
			replacements[kind]!,
			bytes.subarray(kind === 1 && random(2) === 0 ? at : until),
		]);
	}
	return bytes;
}
