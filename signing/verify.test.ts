// What becomes Verified and what does not; each refusal is an attack with a name.
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { generateKeyPair, type SecretKey, sign } from "./ed25519.ts";
import type { Publisher } from "./publishers.ts";
import { addSignature, parseSignatureFile, serializeSignatureFile } from "./signature-file.ts";
import { verifyManifest } from "./verify.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const MANIFEST = utf8('{"name":"flow-dissector"}\n');
const EMPTY = serializeSignatureFile([]);

let ann: SecretKey;
let bob: SecretKey;
let cid: SecretKey;
let eve: SecretKey;
beforeAll(async () => {
	[ann, bob, cid, eve] = await Promise.all([
		generateKeyPair("ann"),
		generateKeyPair("bob"),
		generateKeyPair("cid"),
		generateKeyPair("eve"),
	]);
});

const publisher = (threshold: number, ...keys: SecretKey[]): Publisher => ({
	names: ["flow-dissector"],
	threshold,
	keys: keys.map((key) => key.publicKey),
});
async function signedBy(...keys: SecretKey[]): Promise<Uint8Array> {
	let file = EMPTY;
	for (const key of keys) file = await addSignature(file, key, MANIFEST);
	return file;
}
const refuses = (code: string, file: Uint8Array, by: Publisher, manifest = MANIFEST) =>
	expect(verifyManifest(manifest, file, by)).rejects.toMatchObject({ name: "SigningError", code, exit: 3 });

describe("k of n", () => {
	test("every subset that reaches the threshold passes, every smaller one does not", async () => {
		const all = [ann, bob, cid];
		for (let threshold = 1; threshold <= 3; threshold++) {
			for (let subset = 1; subset < 8; subset++) {
				const signers = all.filter((_, i) => subset & (1 << i));
				const file = await signedBy(...signers);
				const by = publisher(threshold, ...all);
				if (signers.length < threshold) await refuses("SIGNATURE_THRESHOLD", file, by);
				else expect(Buffer.from(await verifyManifest(MANIFEST, file, by))).toEqual(Buffer.from(MANIFEST));
			}
		}
	});

	test("a refusal below the threshold says who did sign", async () => {
		await expect(verifyManifest(MANIFEST, await signedBy(ann), publisher(2, ann, bob))).rejects.toMatchObject(
			{
				details: { signers: [ann.publicKey.keyid], threshold: 2 },
			},
		);
	});
});

describe("a revoked key", () => {
	const digest = createHash("sha256").update(MANIFEST).digest("hex");
	const revoking = (threshold: number, keys: SecretKey[], manifests: string[]): Publisher => ({
		...publisher(threshold, ...keys),
		revoked: [{ key: eve.publicKey, reason: "stolen", manifests }],
	});

	test("counts for the manifests that its publisher listed, and towards the threshold", async () => {
		await verifyManifest(MANIFEST, await signedBy(eve), revoking(1, [ann], [digest]));
		await verifyManifest(MANIFEST, await signedBy(eve, ann), revoking(2, [ann, bob], [digest]));
		await refuses("SIGNATURE_THRESHOLD", await signedBy(eve), revoking(2, [ann, bob], [digest]));
	});

	test("counts for nothing else, even beside enough good signatures", async () => {
		const other = "00".repeat(32);
		await refuses("SIGNATURE_REVOKED_KEY", await signedBy(eve), revoking(1, [ann], [other]));
		await refuses("SIGNATURE_REVOKED_KEY", await signedBy(ann, eve), revoking(1, [ann], []));
		const changed = utf8('{"name":"flow-dissector","by":"a thief"}\n');
		const file = await addSignature(EMPTY, eve, changed);
		await refuses("SIGNATURE_REVOKED_KEY", file, revoking(1, [ann], [digest]), changed);
		await refuses("SIGNATURE_INVALID", await signedBy(eve), revoking(1, [ann], [digest]), changed);
	});
});

describe("attacks", () => {
	test("unsigned bundle", () => refuses("SIGNATURE_MISSING", EMPTY, publisher(1, ann)));

	test("unsigned bundle against a threshold that a bug has made 0 or NaN", async () => {
		await refuses("SIGNATURE_MISSING", EMPTY, publisher(0, ann));
		await refuses("SIGNATURE_THRESHOLD", await signedBy(ann), publisher(Number.NaN, ann));
	});

	test("no signature file", () => refuses("SIGNATURE_MALFORMED", new Uint8Array(), publisher(1, ann)));

	test("manifest changed after signing, by one bit anywhere", async () => {
		const file = await signedBy(ann);
		for (let at = 0; at < MANIFEST.length; at++) {
			const changed = new Uint8Array(MANIFEST);
			changed[at]! ^= 1;
			await refuses("SIGNATURE_INVALID", file, publisher(1, ann), changed);
		}
		await refuses("SIGNATURE_INVALID", file, publisher(1, ann), MANIFEST.subarray(1));
		await refuses("SIGNATURE_INVALID", file, publisher(1, ann), utf8('{"name":"flow-dissector"}\n '));
	});

	test("duplicate signature counted twice", async () => {
		const text = new TextDecoder().decode(await signedBy(ann));
		const listed = /\n {4}\{[^}]*\}/.exec(text)![0];
		await refuses(
			"SIGNATURE_REPEATED",
			utf8(text.replace(listed, `${listed},${listed}`)),
			publisher(2, ann, bob),
		);
	});

	test("signature by the key of another publisher", async () => {
		await refuses("SIGNATURE_UNKNOWN_KEY", await signedBy(eve), publisher(1, ann));
	});

	test("unknown key slipped in beside enough good ones", async () => {
		await refuses("SIGNATURE_UNKNOWN_KEY", await signedBy(ann, bob, eve), publisher(2, ann, bob));
	});

	test("wrong signature slipped in beside enough good ones", async () => {
		const [good] = parseSignatureFile(await signedBy(ann));
		const stale = { keyid: bob.publicKey.keyid, sig: new Uint8Array(64).fill(1) };
		await refuses("SIGNATURE_INVALID", serializeSignatureFile([good!, stale]), publisher(1, ann, bob));
	});

	test("own signature under a trusted key id", async () => {
		const [forged] = parseSignatureFile(await signedBy(eve));
		const file = serializeSignatureFile([{ keyid: ann.publicKey.keyid, sig: forged!.sig }]);
		await refuses("SIGNATURE_INVALID", file, publisher(1, ann));
	});

	test("signatures of two trusted keys swapped", async () => {
		const [one, two] = parseSignatureFile(await signedBy(ann, bob));
		const swapped = serializeSignatureFile([
			{ keyid: one!.keyid, sig: two!.sig },
			{ keyid: two!.keyid, sig: one!.sig },
		]);
		await refuses("SIGNATURE_INVALID", swapped, publisher(1, ann, bob));
	});

	test("signature over another payload type, over the bare bytes, over another version's manifest", async () => {
		for (const message of [
			pae("application/vnd.kfn.advisory.v1+json", MANIFEST),
			pae("", MANIFEST),
			MANIFEST,
			pae(MANIFEST_PAYLOAD_TYPE, utf8('{"name":"flow-dissector","version":"0.9.0"}\n')),
		]) {
			const file = serializeSignatureFile([{ keyid: ann.publicKey.keyid, sig: await sign(ann, message) }]);
			await refuses("SIGNATURE_INVALID", file, publisher(1, ann));
		}
	});

	test("malleated signature, S + L", async () => {
		const [{ keyid, sig }] = parseSignatureFile(await signedBy(ann)) as [{ keyid: never; sig: Uint8Array }];
		const L = 2n ** 252n + 27742317777372353535851937790883648493n;
		const S = BigInt(`0x${Buffer.from(sig.subarray(32)).reverse().toString("hex")}`) + L;
		const other = Buffer.from(S.toString(16).padStart(64, "0"), "hex").reverse();
		const file = serializeSignatureFile([{ keyid, sig: new Uint8Array([...sig.subarray(0, 32), ...other]) }]);
		await refuses("SIGNATURE_INVALID", file, publisher(1, ann));
	});

	test("manifest swapped while its signatures are being checked", async () => {
		const manifest = new Uint8Array(MANIFEST);
		const file = await signedBy(ann);
		const pending = verifyManifest(manifest, file, publisher(1, ann));
		manifest.fill(0x20);
		expect(Buffer.from(await pending)).toEqual(Buffer.from(MANIFEST));
	});
});
