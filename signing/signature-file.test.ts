// kfn.sig.json: one spelling. Whether signatures are valid is verify.test.ts.
import { beforeAll, describe, expect, test } from "vitest";
import { pae } from "./dsse.ts";
import { generateKeyPair, type SecretKey } from "./ed25519.ts";
import {
	addSignature,
	parseSignatureFile,
	SIGNATURE_LIMITS,
	serializeSignatureFile,
} from "./signature-file.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code });
const MANIFEST = utf8("{}\n");
const EMPTY = serializeSignatureFile([]);

let keys: SecretKey[];
let one: string;
let two: string;
beforeAll(async () => {
	keys = [await generateKeyPair(), await generateKeyPair()];
	one = text(await addSignature(EMPTY, keys[0]!, MANIFEST));
	two = text(await addSignature(utf8(one), keys[1]!, MANIFEST));
});

test("DSSE's own example of the pre-authentication encoding", () => {
	const encoded = pae("http://example.com/HelloWorld", utf8("hello world"));
	expect(text(encoded)).toBe("DSSEv1 29 http://example.com/HelloWorld 11 hello world");
});

test("lengths are in bytes, and binary bodies pass unchanged", () => {
	expect(text(pae("é", utf8("ü")))).toBe("DSSEv1 2 é 2 ü");
	expect([...pae("t", new Uint8Array([0, 255, 10]))]).toEqual([...utf8("DSSEv1 1 t 3 "), 0, 255, 10]);
});

test("an empty list, one and two signatures parse to what was written, sorted by key id", () => {
	expect(parseSignatureFile(EMPTY)).toEqual([]);
	for (const file of [one, two]) {
		expect(text(serializeSignatureFile(parseSignatureFile(utf8(file))))).toBe(file);
	}
	const ids = parseSignatureFile(utf8(two)).map((signature) => signature.keyid);
	expect(ids).toEqual([...keys.map((key) => key.publicKey.keyid)].sort());
});

test("the order of signing does not show in the bytes", async () => {
	const reverse = await addSignature(await addSignature(EMPTY, keys[1]!, MANIFEST), keys[0]!, MANIFEST);
	expect(text(reverse)).toBe(two);
});

test("signing again replaces the same key's signature", async () => {
	expect(text(await addSignature(utf8(two), keys[0]!, MANIFEST))).toBe(two);
	const newer = parseSignatureFile(await addSignature(utf8(two), keys[0]!, utf8("{ }\n")));
	expect(newer).toHaveLength(2);
});

test("64 signatures fit, the 65th is refused on writing and on reading", async () => {
	const many = [...Array(64).keys()].map((n) => ({
		keyid: n.toString(16).padStart(64, "0"),
		sig: Buffer.alloc(64, n).toString("base64"),
	}));
	const full = utf8(like(many));
	expect(full.byteLength).toBeLessThan(SIGNATURE_LIMITS.fileBytes);
	expect(parseSignatureFile(full)).toHaveLength(64);
	await expect(addSignature(full, keys[0]!, MANIFEST)).rejects.toMatchObject({ code: "SIGNATURE_TOO_MANY" });
	const over = like([...many, { keyid: "f".repeat(64), sig: many[0]!.sig }]);
	expect(() => parseSignatureFile(utf8(over))).toThrow(refused("SIGNATURE_MALFORMED"));
});

describe("attacks on the file", () => {
	test("duplicate signature counted twice", () => {
		const { signatures } = JSON.parse(one);
		const twice = utf8(like([signatures[0], signatures[0]]));
		expect(() => parseSignatureFile(twice)).toThrow(refused("SIGNATURE_REPEATED"));
	});

	test("duplicate signature hidden behind another one", () => {
		const { signatures } = JSON.parse(two);
		const hidden = utf8(like([signatures[0], signatures[1], signatures[0]]));
		expect(() => parseSignatureFile(hidden)).toThrow(refused("SIGNATURE_REPEATED"));
	});

	test("one key with two different signatures", () => {
		const { signatures } = JSON.parse(one);
		const other = { ...signatures[0], sig: Buffer.alloc(64, 1).toString("base64") };
		expect(() => parseSignatureFile(utf8(like([signatures[0], other])))).toThrow(
			refused("SIGNATURE_REPEATED"),
		);
		const [keyid, sig] = [keys[0]!.publicKey.keyid, new Uint8Array(64)];
		expect(() =>
			serializeSignatureFile([
				{ keyid, sig },
				{ keyid, sig },
			]),
		).toThrow(refused("SIGNATURE_REPEATED"));
	});

	test("duplicate JSON keys, where parsers differ on which one wins", () => {
		for (const file of [
			one.replace('"payloadType"', '"schema": "kfn.signatures/1",\n  "payloadType"'),
			one.replace('"sig":', `"keyid": "${"0".repeat(64)}",\n      "sig":`),
			one.replace('"signatures": [', '"signatures": [],\n  "signatures": ['),
		]) {
			expect(JSON.parse(file)).toBeTruthy();
			expect(() => parseSignatureFile(utf8(file))).toThrow(refused("SIGNATURE_MALFORMED"));
		}
	});

	test("extra field, also __proto__", () => {
		for (const file of [
			one.replace('"schema"', '"note": 1,\n  "schema"'),
			one.replace('"schema"', '"__proto__": {},\n  "schema"'),
			one.replace('"sig":', '"cert": "",\n      "sig":'),
			one.replace('"sig":', '"__proto__": null,\n      "sig":'),
		]) {
			expect(() => parseSignatureFile(utf8(file))).toThrow(refused("SIGNATURE_MALFORMED"));
		}
	});

	test("missing field", () => {
		for (const file of [{ schema: "kfn.signatures/1", signatures: [] }, {}, [], null, "x", 1]) {
			expect(() => parseSignatureFile(utf8(`${JSON.stringify(file, null, 2)}\n`))).toThrow(
				refused("SIGNATURE_MALFORMED"),
			);
		}
	});

	test("other payload type, other schema", () => {
		for (const file of [
			one.replace("manifest.v1+json", "manifest.v2+json"),
			one.replace("application/vnd.kfn.manifest.v1+json", "application/vnd.in-toto+json"),
			one.replace("kfn.signatures/1", "kfn.signatures/2"),
		]) {
			expect(() => parseSignatureFile(utf8(file))).toThrow(refused("SIGNATURE_MALFORMED"));
		}
	});

	test("non-canonical base64 of a good signature", () => {
		const sig: string = JSON.parse(one).signatures[0].sig;
		expect(sig).toMatch(/==$/);
		const last = sig.at(-3)!;
		const set = Buffer.from([..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].join(""));
		const next = String.fromCharCode(set[set.indexOf(last) + 1]!);
		for (const other of [
			sig.replace(/.==$/, `${next}==`),
			sig.slice(0, -2),
			sig.slice(0, -1),
			`${sig}=`,
			`${sig.slice(0, 40)} ${sig.slice(40)}`,
			`${sig.slice(0, 40)}\\n${sig.slice(40)}`,
			Buffer.from(sig, "base64").toString("base64url"),
			Buffer.from(sig, "base64").toString("hex"),
			Buffer.from(sig, "base64").subarray(1).toString("base64"),
			"",
		]) {
			expect(() => parseSignatureFile(utf8(one.replace(sig, other))), other).toThrow(
				refused("SIGNATURE_MALFORMED"),
			);
		}
	});

	test("other spellings of the same content", () => {
		const parsed = JSON.parse(two);
		const [first, second] = parsed.signatures;
		for (const file of [
			JSON.stringify(parsed),
			two.slice(0, -1),
			`${two}\n`,
			`${two}\0`,
			`\ufeff${two}`,
			` ${two}`,
			two.replaceAll("\n", "\r\n"),
			two.replaceAll("  ", "\t"),
			two.replace('"sig"', '"si\\u0067"'),
			two.replace("kfn.signatures", "kfn.\\u0073ignatures"),
			like([second, first]),
			`${JSON.stringify({ payloadType: parsed.payloadType, schema: parsed.schema, signatures: parsed.signatures }, null, 2)}\n`,
			two.replace(first.keyid, first.keyid.toUpperCase()),
		]) {
			expect(file).not.toBe(two);
			expect(() => parseSignatureFile(utf8(file)), file).toThrow(refused("SIGNATURE_MALFORMED"));
		}
	});

	test("wrong types, deep nesting, oversize, not UTF-8, not JSON", () => {
		for (const file of [
			utf8(one.replace(/"keyid": "[^"]*"/, '"keyid": 1')),
			utf8(one.replace(/"sig": "[^"]*"/, '"sig": ["AA=="]')),
			utf8(like([null] as never)),
			utf8(like({} as never)),
			utf8("[".repeat(30_000)),
			utf8(" ".repeat(SIGNATURE_LIMITS.fileBytes + 1)),
			new Uint8Array([0x7b, 0xff, 0x7d]),
			utf8(""),
			utf8("{"),
		]) {
			expect(() => parseSignatureFile(file)).toThrow(refused("SIGNATURE_MALFORMED"));
		}
	});
});

/** The file in its canonical spelling, around whatever list. */
function like(signatures: readonly { keyid: string; sig: string }[]): string {
	const file = {
		schema: "kfn.signatures/1",
		payloadType: "application/vnd.kfn.manifest.v1+json",
		signatures,
	};
	return `${JSON.stringify(file, null, 2)}\n`;
}
