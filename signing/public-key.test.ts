// Public key lines: one spelling, key id bound to the bytes. Small order is covered by ed25519-attacks.test.ts.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
	formatPublicKey,
	formatPublicKeyFile,
	parseKeyId,
	parsePublicKey,
	parsePublicKeyFile,
	publicKeyOfBytes,
} from "./public-key.ts";

/** RFC 8032 §7.1, TEST 1. */
const RAW = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex");
const ID = createHash("sha256").update(RAW).digest("hex");
const LINE = `kfn-ed25519 ${ID} ${RAW.toString("base64")}`;
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code });

test("a line gives its key and comes out again as it was", () => {
	for (const comment of ["", "me", "release key 2026", "a\"b'c<d>\\", "x".repeat(128)]) {
		const line = comment === "" ? LINE : `${LINE} ${comment}`;
		const key = parsePublicKey(line);
		expect(key).toEqual({ keyid: ID, bytes: new Uint8Array(RAW), comment });
		expect(formatPublicKey(key)).toBe(line);
		expect(parsePublicKeyFile(formatPublicKeyFile(key))).toEqual(key);
		expect(parsePublicKeyFile(line)).toEqual(key);
	}
});

test("changing the bytes that made a key does not change the key", () => {
	const raw = new Uint8Array(RAW);
	const key = publicKeyOfBytes(raw);
	raw.fill(0);
	expect(formatPublicKey(key)).toBe(LINE);
});

describe("attacks on a key line", () => {
	test("another key under a trusted key id", () => {
		const other = Buffer.from("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "hex");
		const line = `kfn-ed25519 ${ID} ${other.toString("base64")}`;
		expect(() => parsePublicKey(line)).toThrow(refused("KEY_ID_MISMATCH"));
	});

	test("non-canonical base64 of the same bytes", () => {
		const text = RAW.toString("base64");
		expect(text.endsWith("o=")).toBe(true);
		for (const other of [
			text.replace("o=", "p="),
			text.replace("=", ""),
			`${text}=`,
			RAW.toString("base64url"),
			`${text.slice(0, 20)} ${text.slice(20)}`,
		]) {
			expect(other).not.toBe(text);
			expect(() => parsePublicKey(`kfn-ed25519 ${ID} ${other}`), other).toThrow(refused("KEY_MALFORMED"));
		}
	});

	test.each([
		["empty", ""],
		["another algorithm", LINE.replace("ed25519", "rsa")],
		["upper-case key id", LINE.replace(ID, ID.toUpperCase())],
		["short key id", LINE.replace(ID, ID.slice(1))],
		["two spaces", LINE.replace(" ", "  ")],
		["a tab", LINE.replace(" ", "\t")],
		["leading space", ` ${LINE}`],
		["trailing space", `${LINE} `],
		["space at the end of the comment", `${LINE} me `],
		["space at the start of the comment", `${LINE}  me`],
		["newline", `${LINE}\n`],
		["second line", `${LINE}\n${LINE}`],
		["line end in the comment", `${LINE} me\u2028${LINE}`],
		["terminal escape in the comment", `${LINE} \u001b[2Jme`],
		["right-to-left override in the comment", `${LINE} \u202eme`],
		["NUL in the comment", `${LINE} me\0`],
		["comment of 129", `${LINE} ${"x".repeat(129)}`],
		["31 bytes", `kfn-ed25519 ${ID} ${RAW.subarray(1).toString("base64")}`],
		["a seed line", `kfn-ed25519-seed ${RAW.toString("base64")}`],
	])("%s", (_, line) => {
		expect(() => parsePublicKey(line)).toThrow(refused("KEY_MALFORMED"));
	});

	test("what is refused is repeated without control characters, and shortened", () => {
		const shown = messageOf(`\u001b[31m${"x".repeat(10_000)}`);
		expect(shown).toMatch(/^[\x20-\x7e…]+$/);
		expect(shown.length).toBeLessThan(150);
	});
});

test("key ids", () => {
	expect(parseKeyId(ID)).toBe(ID);
	for (const text of ["", ID.slice(1), `${ID}0`, ID.toUpperCase(), `${ID}\n`]) {
		expect(() => parseKeyId(text)).toThrow(refused("KEY_MALFORMED"));
	}
});

function errorOf(line: string): unknown {
	try {
		parsePublicKey(line);
	} catch (error) {
		return error;
	}
	return undefined;
}
const messageOf = (line: string) => (errorOf(line) as Error).message;
