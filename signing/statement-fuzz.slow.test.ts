// Mutated statements, and the maps that say who may make them: a value or a SigningError, never anything else, and a value only of the
// spelling that its serialiser writes. Seeded as fuzz.slow.test.ts.
import { Ajv2020 } from "ajv/dist/2020.js";
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
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
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
import { parsePublishers, serializePublishers } from "./publishers.ts";
import { newRevocation, openRevocation, parseRevocationFile, unverifiedRevocation } from "./revocation.ts";
import { CATALOGUE, mapOf, vendor } from "./testing/catalogues.ts";
import { fuzz, RUNS, SEED } from "./testing/fuzz.ts";
import { parseVendors, serializeVendors, type Vendors, vendorFor } from "./vendors.ts";

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
	const signedByBoth = async (envelope: DsseEnvelope) =>
		signDsseEnvelope(await signDsseEnvelope(envelope, one), two);
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
	const envelope = await signedByBoth(newPermit(leave));
	permit = Buffer.from(serializeDsseEnvelope(envelope));
	payload = Buffer.from(envelope.payload);
	const revoking = newRevocation({
		...{ id: "0123456789abcdef".repeat(2), name: "gro", state: "revoked" },
		tags: [`kfn1:${"ab".repeat(32)}`],
		builds: [{ version: "1.0.1", manifestSha256: "cd".repeat(32) }],
		...{ advisory: "KFN-2026-0001", reason: "breaks é", issued: "2026-11-28T12:00:00Z" },
	});
	revocation = Buffer.from(serializeDsseEnvelope(await signedByBoth(revoking)));
	const said = await signedByBoth(newAdvisory(ADVISORY));
	advisory = Buffer.from(serializeDsseEnvelope(said));
	const pointer: ChannelPointer = {
		name: "gro",
		channel: "candidate",
		version: "1.1.0-rc.1",
		manifestSha256: "ab".repeat(32),
		serial: 7,
		issued: "2026-11-28T12:00:00Z",
	};
	const pointing = await signedByBoth(newChannel(pointer));
	channel = Buffer.from(serializeDsseEnvelope(pointing));
	vendors = mapOf(vendor([one, two], { threshold: 2 }), vendor([one], { bus: "usb", devices: ["1001"] }));
	const signed = await signedByBoth(newCatalogue(CATALOGUE));
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
});
