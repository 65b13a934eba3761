// What a test of the host needs: signed sample bundles of several versions and a root that trusts their key. Refuses to fake a signature or an object: clang and Ed25519 make them.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeBundle } from "#bundle/bundle.ts";
import { type Digest, sha256 } from "#bundle/digest.ts";
import { sampleBundle } from "#bundle/testing/sample.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { parsePublishers, serializePublishers } from "#signing/publishers.ts";
import { addSignature, serializeSignatureFile } from "#signing/signature-file.ts";

export interface SampleSpec {
	readonly version: string;
	readonly name?: string;
	/** Goes into the transport offset that the program reports, so that versions differ in their instructions. */
	readonly offset?: number;
	/** What the vector expects the program to return; the program returns 0. */
	readonly retval?: number;
	/** Gives it the parameters `ports` (a list, empty by default) with so many places in the program, and `depth` (1 by default). */
	readonly places?: number;
	/** Ids of the advisories that it fixes; none unless given. */
	readonly fixes?: readonly string[];
	/** Who signs; nobody where empty. */
	readonly signers?: readonly SecretKey[];
	/** Why nobody should run it without saying so. */
	readonly experimental?: string;
}

export interface SignedSample {
	readonly name: string;
	readonly version: string;
	readonly archive: Uint8Array;
	readonly sha256: Digest;
	readonly tag: string;
}

/** A signed bundle that provides flow-dissector/1, and whose program answers every packet with nhoff + offset. */
export async function signedSample(spec: SampleSpec): Promise<SignedSample> {
	const name = spec.name ?? "sample";
	const { places } = spec;
	const assembled = sampleBundle({
		package: {
			name,
			version: spec.version,
			...(spec.fixes === undefined ? {} : { fixes: spec.fixes }),
			...(spec.experimental === undefined ? {} : { experimental: spec.experimental }),
			...(places === undefined ? {} : { config: PARAMETERS }),
		},
		source: (text) =>
			text.replace("= keys->nhoff;", `= keys->nhoff + ${spec.offset ?? 0}${placesIn(places)};`),
		files: { "vectors/basic.jsonl": vector(spec.retval ?? 0) },
	});
	let signatures: Uint8Array = serializeSignatureFile([]);
	for (const key of spec.signers ?? [])
		signatures = await addSignature(signatures, key, assembled.manifestBytes);
	const archive = writeBundle(assembled.manifestBytes, signatures, assembled.files);
	const tag = assembled.manifest.tag.value;
	return { name, version: spec.version, archive, sha256: sha256(archive), tag };
}

const PARAMETERS = {
	depth: { type: "u32", default: 1, summary: "what is added to every offset, less one" },
	ports: { type: "u16-list", default: [], summary: "what is not looked at" },
};

/** C that reads every place of the parameters and, as the list is empty by default, adds nothing (docs/formats/config.md). */
function placesIn(places: number | undefined): string {
	if (places === undefined) return "";
	const place = (parameter: number, element: number, initial: number) =>
		`({ unsigned long long v; __asm__("%0 = %1 ll" : "=r"(v) : "i"(0x6b66ull << 48 | ${parameter}ull << 40 | ${element}ull << 32 | ${initial}ull)); (unsigned)v; })`;
	const lists = Array.from({ length: places }, (_, i) => ` + (${place(1, i, 0x10000)} == 1)`);
	return ` + ${place(0, 0, 1)} - 1${lists.join("")}`;
}

/** Writes etc/kfn/trust/publishers.json below a root: one publisher, these names, these keys. */
export function trustKeys(
	root: string,
	names: readonly string[],
	keys: readonly SecretKey[],
	threshold = 1,
): void {
	const path = join(root, "etc/kfn/trust/publishers.json");
	mkdirSync(dirname(path), { recursive: true });
	const bytes = serializePublishers({
		publishers: [{ names, threshold, keys: keys.map((key) => key.publicKey) }],
	});
	parsePublishers(bytes);
	writeFileSync(path, bytes);
}

/** The three versions that most tests go through, and the key that signed them. */
export interface Samples {
	readonly key: SecretKey;
	readonly v1: SignedSample;
	readonly v2: SignedSample;
	readonly v3: SignedSample;
}

/** Compiles and signs sample 1.0.0, 1.1.0 and 2.0.0. */
export async function makeSamples(): Promise<Samples> {
	const key = await generateKeyPair("test");
	const make = (version: string, offset: number) => signedSample({ version, offset, signers: [key] });
	return { key, v1: await make("1.0.0", 20), v2: await make("1.1.0", 24), v3: await make("2.0.0", 28) };
}

function vector(retval: number): string {
	const data = `${"02".repeat(12)}0800${"45".padEnd(40, "0")}`;
	return `${JSON.stringify({ name: "any", why: "every packet", program: "sample", data, retval })}\n`;
}
