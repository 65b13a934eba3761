// Ed25519 against RFC 8032's own vectors and against a second implementation (OpenSSL through node:crypto), both ways.
import {
	createHash,
	createPrivateKey,
	createPublicKey,
	sign as nodeSign,
	verify as nodeVerify,
} from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { generateKeyPair, secretKeyOfSeed, sign, verify } from "./ed25519.ts";

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** RFC 8032 §7.1: secret seed, public key, message, signature. */
const RFC_8032 = [
	{
		name: "TEST 1",
		seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
		message: "",
		signature:
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
			"5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
	},
	{
		name: "TEST 2",
		seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		message: "72",
		signature:
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
			"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	},
	{
		name: "TEST 3",
		seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
		message: "af82",
		signature:
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
			"18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
	},
	{
		name: "TEST SHA(abc)",
		seed: "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
		publicKey: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
		message: createHash("sha512").update("abc").digest("hex"),
		signature:
			"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589" +
			"09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
	},
] as const;

/** OpenSSL's view of a raw key: the fixed DER prefixes of RFC 8410. */
const nodePublicKey = (raw: Uint8Array) =>
	createPublicKey({
		key: Buffer.concat([hex("302a300506032b6570032100"), raw]),
		format: "der",
		type: "spki",
	});
const nodePrivateKey = (seed: Uint8Array) =>
	createPrivateKey({
		key: Buffer.concat([hex("302e020100300506032b657004220420"), seed]),
		format: "der",
		type: "pkcs8",
	});

describe("RFC 8032 §7.1", () => {
	test.each(RFC_8032)("$name", async ({ seed, publicKey, message, signature }) => {
		const secret = await secretKeyOfSeed(hex(seed));
		expect(toHex(secret.publicKey.bytes)).toBe(publicKey);
		expect(toHex(await sign(secret, hex(message)))).toBe(signature);
		expect(await verify(secret.publicKey, hex(signature), hex(message))).toBe(true);
		expect(nodeVerify(null, hex(message), nodePublicKey(hex(publicKey)), hex(signature))).toBe(true);
	});
});

test("what libsodium signs, OpenSSL verifies, and the reverse", async () => {
	for (const length of [0, 1, 63, 64, 1000, 70_000]) {
		const secret = await generateKeyPair();
		const message = new Uint8Array(length).map((_, i) => i & 0xff);
		const ours = await sign(secret, message);
		const theirs = nodeSign(null, message, nodePrivateKey(secret.exposeSeed()));
		expect(nodeVerify(null, message, nodePublicKey(secret.publicKey.bytes), ours)).toBe(true);
		expect(await verify(secret.publicKey, new Uint8Array(theirs), message)).toBe(true);
	}
});

test("every flipped bit of a signature, and a flipped bit of the message, is refused", async () => {
	const secret = await secretKeyOfSeed(hex(RFC_8032[2].seed));
	const message = hex(RFC_8032[2].message);
	const signature = await sign(secret, message);
	for (let bit = 0; bit < 512; bit++) {
		const forged = new Uint8Array(signature);
		forged[bit >> 3]! ^= 1 << (bit & 7);
		expect(await verify(secret.publicKey, forged, message), `bit ${bit}`).toBe(false);
	}
	expect(await verify(secret.publicKey, signature, hex("af83"))).toBe(false);
});

test.each([0, 1, 32, 63, 65, 128])(
	"a signature of %i bytes is refused without an exception",
	async (length) => {
		const secret = await secretKeyOfSeed(hex(RFC_8032[0].seed));
		expect(await verify(secret.publicKey, new Uint8Array(length), new Uint8Array())).toBe(false);
	},
);

test("a seed of another length is KEY_MALFORMED", async () => {
	for (const length of [0, 31, 33, 64]) {
		await expect(secretKeyOfSeed(new Uint8Array(length))).rejects.toMatchObject({ code: "KEY_MALFORMED" });
	}
});

test("two new keys differ, and neither printing nor JSON shows a seed", async () => {
	const [one, two] = [await generateKeyPair("me"), await generateKeyPair("me")];
	expect(one.publicKey.keyid).not.toBe(two.publicKey.keyid);
	const seed = one.exposeSeed();
	const shown = inspect(one, { showHidden: true, depth: 9 }) + JSON.stringify(one);
	expect(shown).toContain(one.publicKey.keyid);
	expect(shown).not.toContain(toHex(seed));
	expect(shown).not.toContain([...seed.subarray(0, 4)].join(", "));
});

test("changing the exposed seed does not change the key", async () => {
	const secret = await secretKeyOfSeed(hex(RFC_8032[0].seed));
	secret.exposeSeed().fill(0);
	expect(toHex(secret.exposeSeed())).toBe(RFC_8032[0].seed);
});
