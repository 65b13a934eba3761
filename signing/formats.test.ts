// The worked examples of docs/formats, read out of the pages and checked with our code and with node:crypto alone, which
// shares nothing with it.
import {
	createHash,
	createPrivateKey,
	createPublicKey,
	sign as nodeSign,
	verify as nodeVerify,
} from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
	ADVISORY_PAYLOAD_TYPE,
	newAdvisory,
	openAdvisory,
	parseAdvisoryFile,
	unverifiedAdvisory,
} from "./advisory.ts";
import {
	CATALOGUE_PAYLOAD_TYPE,
	entriesFor,
	newCatalogue,
	openCatalogue,
	parseCatalogueFile,
	unverifiedCatalogue,
} from "./catalogue.ts";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { secretKeyOfSeed } from "./ed25519.ts";
import { serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
import { SIGNING_ERRORS } from "./errors.ts";
import { openCheckpoint } from "./log/checkpoint.ts";
import { parseLogEntry, serializeLogEntry } from "./log/entry.ts";
import { formatVerifierKey, parseVerifierKey } from "./log/note.ts";
import { openProof, parseProof, serializeProof } from "./log/proof.ts";
import { tilePath, tileWidth } from "./log/tile.ts";
import {
	demandPermitted,
	newPermit,
	openPermit,
	PERMIT_PAYLOAD_TYPE,
	parsePermitFile,
	unverifiedPermit,
} from "./permit.ts";
import { formatPublicKey, parsePublicKey } from "./public-key.ts";
import { parsePublishers, publisherFor, serializePublishers } from "./publishers.ts";
import { logTrustOf, parseRegistryDocument, serializeRegistryDocument } from "./registry-document.ts";
import { decryptSecretKey, formatSeed, parseSeed, publicKeyOfSecretFile } from "./secret-key-file.ts";
import { addSignature, serializeSignatureFile } from "./signature-file.ts";
import { tufKeyId, tufKeyOf } from "./tuf/key.ts";
import { parseVendors, serializeVendors, vendorFor } from "./vendors.ts";
import { verifyManifest } from "./verify.ts";

/** RFC 8032 §7.1, TEST 1 and TEST 2: the seeds that the pages name. */
const SEEDS = [
	Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex"),
	Buffer.from("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "hex"),
] as const;

let keys: string;
let signatures: string;
let publishers: string;
let log: string;
let permits: string;
let catalogues: string;
let vendors: string;
let advisories: string;
beforeAll(async () => {
	const page = (name: string) => readFile(join(import.meta.dirname, "../docs/formats", `${name}.md`), "utf8");
	[keys, signatures, publishers, log, permits, catalogues, vendors, advisories] = (await Promise.all(
		["keys", "signatures", "publishers", "log", "permit", "catalogue", "vendors", "advisory"].map(page),
	)) as [string, string, string, string, string, string, string, string];
});

describe("keys.md", () => {
	test("the public key line", async () => {
		const line = example(keys, "public-key").trimEnd();
		const key = parsePublicKey(line);
		expect(key.bytes).toEqual((await secretKeyOfSeed(SEEDS[0])).publicKey.bytes);
		expect(formatPublicKey(key)).toBe(line);
		const raw = rawPublicKey(SEEDS[0]);
		expect(line.split(" ").slice(1, 3)).toEqual([
			createHash("sha256").update(raw).digest("hex"),
			raw.toString("base64"),
		]);
	});

	test("the tuf id", async () => {
		const [object, id] = example(keys, "tuf-key").trimEnd().split("\n");
		const { publicKey } = await secretKeyOfSeed(SEEDS[0]);
		expect(tufKeyId(tufKeyOf(publicKey))).toBe(id);
		expect(createHash("sha256").update(object!).digest("hex")).toBe(id);
		expect(JSON.parse(object!).keyval.public).toBe(rawPublicKey(SEEDS[0]).toString("hex"));
	});

	test("the secret key file opens with its passphrase, at its full cost", async () => {
		const file = example(keys, "secret-key-file");
		const secret = await decryptSecretKey(file, example(keys, "passphrase").trimEnd());
		expect(Buffer.from(secret.exposeSeed())).toEqual(SEEDS[0]);
		expect(publicKeyOfSecretFile(file)).toEqual(secret.publicKey);
	});

	test("the seed line", async () => {
		const line = example(keys, "seed-line").trimEnd();
		expect(line).toBe(`kfn-ed25519-seed ${SEEDS[0].toString("base64")}`);
		expect(formatSeed(await parseSeed(line))).toBe(line);
	});
});

describe("signatures.md", () => {
	test("the PAE", () => {
		const manifest = Buffer.from(example(signatures, "manifest"));
		expect(Buffer.from(pae(MANIFEST_PAYLOAD_TYPE, manifest)).toString()).toBe(example(signatures, "pae"));
		expect(signatures).toContain(`, ${manifest.byteLength} bytes with the final newline`);
	});

	test("kfn.sig.json is what signing gives, and what OpenSSL gives", async () => {
		const [manifest, file] = [
			Buffer.from(example(signatures, "manifest")),
			example(signatures, "kfn.sig.json"),
		];
		let ours = serializeSignatureFile([]);
		for (const seed of SEEDS) ours = await addSignature(ours, await secretKeyOfSeed(seed), manifest);
		expect(Buffer.from(ours).toString()).toBe(file);
		const theirs = SEEDS.map((seed) => ({
			keyid: createHash("sha256").update(rawPublicKey(seed)).digest("hex"),
			sig: nodeSign(null, Buffer.from(example(signatures, "pae")), privateKey(seed)).toString("base64"),
		}));
		expect(JSON.parse(file).signatures).toEqual(theirs);
	});

	test("it verifies against the page's publishers, and with OpenSSL", async () => {
		const [manifest, file] = [
			Buffer.from(example(signatures, "manifest")),
			example(signatures, "kfn.sig.json"),
		];
		const map = parsePublishers(Buffer.from(example(publishers, "publishers.json")));
		const verified = await verifyManifest(
			manifest,
			Buffer.from(file),
			publisherFor(map, JSON.parse(`${manifest}`).name),
		);
		expect(Buffer.from(verified)).toEqual(manifest);
		for (const [i, { sig }] of JSON.parse(file).signatures.entries()) {
			const key = createPublicKey(privateKey(SEEDS[i as 0 | 1]));
			expect(nodeVerify(null, Buffer.from(example(signatures, "pae")), key, Buffer.from(sig, "base64"))).toBe(
				true,
			);
		}
	});
});

describe("publishers.md", () => {
	test("the example with a revoked key is canonical", () => {
		const text = example(publishers, "revoked");
		const map = parsePublishers(Buffer.from(text));
		expect(Buffer.from(serializePublishers(map)).toString()).toBe(text);
		expect(map.publishers[0]!.revoked).toHaveLength(1);
	});

	test("the example is canonical and says what the page says of it", () => {
		const text = example(publishers, "publishers.json");
		const map = parsePublishers(Buffer.from(text));
		expect(Buffer.from(serializePublishers(map)).toString()).toBe(text);
		const [both, second] = map.publishers;
		expect(publisherFor(map, "flow-dissector")).toBe(both);
		expect(both!.threshold).toBe(2);
		expect(publisherFor(map, "acme-gro")).toBe(second);
		expect(second!.keys.map((key) => key.keyid)).toEqual([both!.keys[1]!.keyid]);
		expect(() => publisherFor(map, "gro")).toThrow(expect.objectContaining({ code: "PUBLISHERS_NO_MATCH" }));
	});
});

describe("log.md", () => {
	const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();

	test("the entries are what is logged, and their tree is the checkpoint's", () => {
		const lines = example(log, "entries").trimEnd().split("\n");
		for (const line of lines) {
			expect(Buffer.from(serializeLogEntry(parseLogEntry(Buffer.from(line)))).toString()).toBe(line);
		}
		// RFC 6962 §2.1 by hand, for four leaves.
		const [a, b, c, d] = lines.map((line) => sha256(Buffer.of(0), Buffer.from(line))) as [
			Buffer,
			Buffer,
			Buffer,
			Buffer,
		];
		const root = sha256(Buffer.of(1), sha256(Buffer.of(1), a, b), sha256(Buffer.of(1), c, d));
		expect(example(log, "checkpoint").split("\n").slice(1, 3)).toEqual(["4", root.toString("base64")]);
	});

	test("the verifier keys are those of their seeds, recomputed", () => {
		for (const [name, type, seed] of [
			["log-key", 1, SEEDS[0]],
			["witness-key", 4, SEEDS[1]],
		] as const) {
			const line = example(log, name).trimEnd();
			expect(formatVerifierKey(parseVerifierKey(line))).toBe(line);
			const material = Buffer.concat([Buffer.of(type), rawPublicKey(seed)]);
			const [owner] = line.split("+");
			const id = sha256(Buffer.from(`${owner}\n`), material)
				.subarray(0, 4)
				.toString("hex");
			expect(line).toBe(`${owner}+${id}+${material.toString("base64")}`);
		}
	});

	test("the checkpoint opens with kfn/registry.json, and OpenSSL takes both signatures", async () => {
		const document = example(log, "registry.json");
		const trust = logTrustOf(parseRegistryDocument(Buffer.from(document)))!;
		expect(
			Buffer.from(serializeRegistryDocument(parseRegistryDocument(Buffer.from(document)))).toString(),
		).toBe(document);
		const checkpoint = await openCheckpoint(Buffer.from(example(log, "checkpoint")), trust);
		expect(checkpoint).toMatchObject({ size: 4, cosigners: ["witness.example/one"] });
		const [text = "", lines = ""] = example(log, "checkpoint").split("\n\n");
		const [own, cosignature] = lines
			.trimEnd()
			.split("\n")
			.map((line) => Buffer.from(line.split(" ")[2]!, "base64").subarray(4));
		const time = cosignature!.readBigUInt64BE();
		const cosigned = `cosignature/v1\ntime ${time}\n${text}\n`;
		for (const [seed, signed, signature] of [
			[SEEDS[0], `${text}\n`, own!],
			[SEEDS[1], cosigned, cosignature!.subarray(8)],
		] as const) {
			expect(nodeVerify(null, Buffer.from(signed), createPublicKey(privateKey(seed)), signature)).toBe(true);
		}
	});

	test("the proof proves the third entry, offline", async () => {
		const trust = logTrustOf(parseRegistryDocument(Buffer.from(example(log, "registry.json"))))!;
		const proved = await openProof(Buffer.from(example(log, "proof")), trust);
		expect(Buffer.from(proved.entry).toString()).toBe(example(log, "entries").split("\n")[2]);
		expect(Buffer.from(serializeProof(parseProof(Buffer.from(example(log, "proof"))))).toString()).toBe(
			example(log, "proof"),
		);
	});

	test("the paths in the table are those of the tiles", () => {
		const paths = (size: number) =>
			(["entries", 0, 1, 2] as const).flatMap((level) =>
				Array.from({ length: 300 }, (_, index) => ({
					level,
					index,
					width: tileWidth(level === "entries" ? 0 : level, index, size),
				}))
					.filter(({ width }) => width > 0)
					.map(tilePath),
			);
		for (const [, size = "", listed = ""] of log.matchAll(/^\| ([\d,]+) entries \| (.*) \|$/gm)) {
			const named = [...listed.matchAll(/`([^`]+)`/g)].map(([, path]) => path!);
			expect(named.length).toBeGreaterThan(1);
			expect(paths(Number(size.replace(",", "")))).toEqual(expect.arrayContaining(named));
		}
	});
});

describe("permit.md", () => {
	test("the permit is what signing gives, and what OpenSSL gives", async () => {
		const [payload, file] = [example(permits, "payload"), example(permits, "permit.json")];
		expect(permits).toContain(`The payload, ${Buffer.byteLength(payload)} bytes:`);
		let ours = newPermit(unverifiedPermit(parsePermitFile(Buffer.from(file))));
		for (const seed of SEEDS) ours = await signDsseEnvelope(ours, await secretKeyOfSeed(seed));
		expect(Buffer.from(serializeDsseEnvelope(ours)).toString()).toBe(file);
		const message = `DSSEv1 ${PERMIT_PAYLOAD_TYPE.length} ${PERMIT_PAYLOAD_TYPE} ${Buffer.byteLength(payload)} ${payload}`;
		expect(JSON.parse(file)).toEqual({
			payload: Buffer.from(payload).toString("base64"),
			payloadType: PERMIT_PAYLOAD_TYPE,
			signatures: SEEDS.map((seed) => ({
				keyid: createHash("sha256").update(rawPublicKey(seed)).digest("hex"),
				sig: nodeSign(null, Buffer.from(message), privateKey(seed)).toString("base64"),
			})),
		});
	});

	test("it covers what the page says, against the page's publishers", async () => {
		const map = parsePublishers(Buffer.from(example(publishers, "publishers.json")));
		const envelope = parsePermitFile(Buffer.from(example(permits, "permit.json")));
		const permit = await openPermit(envelope, "flow-dissector", map);
		const judge = (version: string, now: string) =>
			demandPermitted(permit, { name: "flow-dissector", leaving: [version], to: permit.to }, new Date(now));
		for (const version of ["1.0.1", "1.0.2-rc.1", "1.0.2"]) judge(version, "2026-11-28T12:00:00Z");
		judge("1.0.2", "2026-12-12T11:59:59Z");
		const refused = (code: string) => expect.objectContaining({ code });
		expect(() => judge("1.0.3", "2026-12-01T00:00:00Z")).toThrow(refused("PERMIT_SCOPE"));
		expect(() => judge("1.0.2", "2026-12-12T12:00:00Z")).toThrow(refused("PERMIT_EXPIRED"));
		expect(() => judge("1.0.2", "2026-11-28T11:54:59Z")).toThrow(refused("PERMIT_NOT_YET"));
	});
});

describe("vendors.md", () => {
	test("the map is in its canonical spelling, and decides what the page says", () => {
		const file = example(vendors, "vendors.json");
		const map = parseVendors(Buffer.from(file));
		expect(Buffer.from(serializeVendors(map)).toString()).toBe(file);
		const at = (device: string) => vendorFor(map, { bus: "pci", vendor: "e9a1", device });
		expect(at("1001")).toMatchObject({ issuer: "example-networks", threshold: 2 });
		expect(at("2000")).toMatchObject({ issuer: "example-lab", threshold: 1 });
		expect(at("2000").keys[0]!.keyid).toBe(at("1001").keys[1]!.keyid);
	});
});

describe("catalogue.md", () => {
	test("the catalogue is what signing gives, and what OpenSSL gives", async () => {
		const [payload, file] = [example(catalogues, "payload"), example(catalogues, "catalogue.json")];
		expect(catalogues).toContain(`The payload, ${Buffer.byteLength(payload)} bytes:`);
		let ours = newCatalogue(unverifiedCatalogue(parseCatalogueFile(Buffer.from(file))));
		for (const seed of SEEDS) ours = await signDsseEnvelope(ours, await secretKeyOfSeed(seed));
		expect(Buffer.from(serializeDsseEnvelope(ours)).toString()).toBe(file);
		const message = `DSSEv1 ${CATALOGUE_PAYLOAD_TYPE.length} ${CATALOGUE_PAYLOAD_TYPE} ${Buffer.byteLength(payload)} ${payload}`;
		expect(JSON.parse(file)).toEqual({
			payload: Buffer.from(payload).toString("base64"),
			payloadType: CATALOGUE_PAYLOAD_TYPE,
			signatures: SEEDS.map((seed) => ({
				keyid: createHash("sha256").update(rawPublicKey(seed)).digest("hex"),
				sig: nodeSign(null, Buffer.from(message), privateKey(seed)).toString("base64"),
			})),
		});
	});

	test("it says of each firmware what the page says, against the page's vendors", async () => {
		const map = parseVendors(Buffer.from(example(vendors, "vendors.json")));
		const envelope = parseCatalogueFile(Buffer.from(example(catalogues, "catalogue.json")));
		const hardware = { bus: "pci", vendor: "e9a1", device: "1002" };
		const catalogue = await openCatalogue(envelope, map, hardware);
		const at = (version: string) => entriesFor(catalogue, version)?.map((entry) => entry.function);
		expect(at("22.1.0")).toEqual(["tso", "tso"]);
		expect(at("23.0.0")).toEqual(["gro", "tso"]);
		expect(at("23.0.1")).toBeUndefined();
	});
});

describe("advisory.md", () => {
	test("the advisory is what signing gives, what OpenSSL gives, and opens with the page's publishers", async () => {
		const [payload, file] = [example(advisories, "payload"), example(advisories, "advisory.json")];
		expect(advisories).toContain(`The payload, ${Buffer.byteLength(payload)} bytes:`);
		let ours = newAdvisory(JSON.parse(payload));
		for (const seed of SEEDS) ours = await signDsseEnvelope(ours, await secretKeyOfSeed(seed));
		expect(Buffer.from(serializeDsseEnvelope(ours)).toString()).toBe(file);
		const message = `DSSEv1 ${ADVISORY_PAYLOAD_TYPE.length} ${ADVISORY_PAYLOAD_TYPE} ${Buffer.byteLength(payload)} ${payload}`;
		expect(JSON.parse(file).signatures).toEqual(
			SEEDS.map((seed) => ({
				keyid: createHash("sha256").update(rawPublicKey(seed)).digest("hex"),
				sig: nodeSign(null, Buffer.from(message), privateKey(seed)).toString("base64"),
			})),
		);
		const map = parsePublishers(Buffer.from(example(publishers, "publishers.json")));
		const envelope = parseAdvisoryFile(Buffer.from(file));
		const opened = await openAdvisory(envelope, "flow-dissector", map, new Date("2026-11-29T12:00:00Z"));
		expect(opened).toEqual(unverifiedAdvisory(ours));
	});
});

test("every code that the pages name is in the table", () => {
	const named = [
		...`${keys}${signatures}${publishers}${log}${permits}${catalogues}${vendors}${advisories}`.matchAll(
			/`((?:KEY|SIGNATURE|PUBLISHERS|LOG|TRUST|PERMIT|CATALOGUE|VENDORS|ADVISORY)_[A-Z_]*[A-Z])`/g,
		),
	];
	expect(named.length).toBeGreaterThan(10);
	for (const [, code] of named) expect(Object.keys(SIGNING_ERRORS)).toContain(code);
});

/** The block of a page that starts with ```LANGUAGE NAME. */
function example(page: string, name: string): string {
	const found = new RegExp(`^\`\`\`[a-z]+ ${name}\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page);
	if (found === null) throw new Error(`the page has no example "${name}"`);
	return found[1]!;
}

function privateKey(seed: Buffer) {
	const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
	return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: "der", type: "pkcs8" });
}

function rawPublicKey(seed: Buffer): Buffer {
	return createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" }).subarray(-32);
}
