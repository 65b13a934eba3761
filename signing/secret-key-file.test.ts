// Secret key files: opened by us, opened by libsodium alone (C), refused when changed or greedy.
import { execFile } from "node:child_process";
import { argon2Sync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey, secretKeyOfSeed } from "./ed25519.ts";
import {
	DEFAULT_KDF_COST,
	decryptSecretKey,
	encryptSecretKey,
	formatSeed,
	KDF_LIMITS,
	parseSeed,
	publicKeyOfSecretFile,
} from "./secret-key-file.ts";

const run = promisify(execFile);
const TINY = { passes: 1, memoryKiB: 8 };
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

let secret: SecretKey;
let file: string;
beforeAll(async () => {
	secret = await generateKeyPair();
	file = await encryptSecretKey(secret, "open sesame", { cost: TINY });
});

test("a key file opens with its passphrase, and shows its public half without it", async () => {
	expect(formatSeed(await decryptSecretKey(file, "open sesame"))).toBe(formatSeed(secret));
	expect(publicKeyOfSecretFile(file)).toEqual(secret.publicKey);
	expect(file).not.toContain(Buffer.from(secret.exposeSeed()).toString("base64"));
});

test("without a wish, a file is written at the documented cost", async () => {
	expect(DEFAULT_KDF_COST).toEqual({ passes: 3, memoryKiB: 262_144 });
	const full = await encryptSecretKey(secret, "open sesame");
	expect(full).toContain("\nkdf: argon2id t=3 m=262144 p=1 salt=");
	expect(formatSeed(await decryptSecretKey(full, "open sesame"))).toBe(formatSeed(secret));
});

test("salt and nonce are new each time", async () => {
	const again = await encryptSecretKey(secret, "open sesame", { cost: TINY });
	const parts = (text: string) => [/salt=(\S+)/.exec(text)?.[1], /nonce=(\S+)/.exec(text)?.[1]];
	expect(parts(again)[0]).not.toBe(parts(file)[0]);
	expect(parts(again)[1]).not.toBe(parts(file)[1]);
});

test("composed and decomposed letters are one passphrase", async () => {
	const text = await encryptSecretKey(secret, "p\u00e4ss", { cost: TINY });
	expect(formatSeed(await decryptSecretKey(text, "pa\u0308ss"))).toBe(formatSeed(secret));
});

test.each(["", "x".repeat(1025), "lone \ud800 surrogate"])(
	"passphrase %j is unusable",
	async (passphrase) => {
		const unusable = { code: "KEY_PASSPHRASE_UNUSABLE", exit: 2 };
		await expect(encryptSecretKey(secret, passphrase, { cost: TINY })).rejects.toMatchObject(unusable);
		await expect(decryptSecretKey(file, passphrase)).rejects.toMatchObject(unusable);
	},
);

describe("attacks on a key file", () => {
	test("wrong passphrase", async () => {
		for (const wrong of ["open sesamE", "open sesame ", "open sesame\0"]) {
			await expect(decryptSecretKey(file, wrong)).rejects.toMatchObject({ code: "KEY_WRONG_PASSPHRASE" });
		}
	});

	test("memory bomb and time bomb: refused before anything is derived", async () => {
		const bombs = [
			{ passes: 1, memoryKiB: KDF_LIMITS.memoryKiB + 1 },
			{ passes: 1, memoryKiB: 4_294_967_295 },
			{ passes: 1, memoryKiB: 9_999_999_999 },
			{ passes: KDF_LIMITS.passes + 1, memoryKiB: 8 },
			{ passes: 4_294_967_295, memoryKiB: KDF_LIMITS.memoryKiB },
			{ passes: 1, memoryKiB: 7 },
		];
		for (const { passes, memoryKiB } of bombs) {
			const bomb = file.replace("t=1 m=8", `t=${passes} m=${memoryKiB}`);
			// The synchronous reader refuses it too: nothing has been spent by then.
			expect(() => publicKeyOfSecretFile(bomb)).toThrow(expect.objectContaining({ code: "KEY_COST_LIMIT" }));
			await expect(decryptSecretKey(bomb, "open sesame")).rejects.toMatchObject({ code: "KEY_COST_LIMIT" });
		}
	});

	test("more lanes, another kdf, another version, another cipher", async () => {
		for (const [from, to] of [
			["p=1", "p=4"],
			["argon2id", "argon2i"],
			["argon2id", "none"],
			["secret 1", "secret 2"],
			["xchacha20poly1305", "xsalsa20poly1305"],
			["t=1", "t=01"],
			["t=1", "t=-1"],
			["m=8", "m=8e0"],
		] as const) {
			await expect(decryptSecretKey(file.replace(from, to), "open sesame")).rejects.toMatchObject({
				code: "KEY_MALFORMED",
			});
		}
	});

	test("cheaper kdf: the header is authenticated", async () => {
		const dear = await encryptSecretKey(secret, "open sesame", { cost: { passes: 2, memoryKiB: 16 } });
		await expect(decryptSecretKey(dear.replace("t=2 m=16", "t=1 m=8"), "open sesame")).rejects.toMatchObject({
			code: "KEY_WRONG_PASSPHRASE",
		});
	});

	test("public half of another key, with its key id: refused, though each line is well-formed", async () => {
		const other = await encryptSecretKey(await generateKeyPair(), "open sesame", { cost: TINY });
		const mine = file.split("\n");
		const theirs = other.split("\n");
		const swapped = [mine[0], theirs[1], theirs[2], ...mine.slice(3)].join("\n");
		await expect(decryptSecretKey(swapped, "open sesame")).rejects.toMatchObject({
			code: "KEY_WRONG_PASSPHRASE",
		});
	});

	test("written on purpose with another public half: intact, and refused", async () => {
		// What an attacker who knows the passphrase could write, so that signatures go out under a key id that is not the seed's.
		const stranger = (await generateKeyPair()).publicKey;
		const lying = { publicKey: stranger, exposeSeed: () => secret.exposeSeed() } as SecretKey;
		const text = await encryptSecretKey(lying, "open sesame", { cost: TINY });
		await expect(decryptSecretKey(text, "open sesame")).rejects.toMatchObject({ code: "KEY_ID_MISMATCH" });
	});

	test("key id of another key", () => {
		const forged = file.replace(/keyid: [0-9a-f]{64}/, `keyid: ${"0".repeat(64)}`);
		expect(() => publicKeyOfSecretFile(forged)).toThrow(expect.objectContaining({ code: "KEY_ID_MISMATCH" }));
	});

	test("every changed byte is refused", async () => {
		for (let at = 0; at < file.length; at++) {
			const changed = file.slice(0, at) + (file[at] === "A" ? "B" : "A") + file.slice(at + 1);
			await expect(decryptSecretKey(changed, "open sesame"), `byte ${at}`).rejects.toMatchObject({
				code: expect.stringMatching(/^KEY_(MALFORMED|WRONG_PASSPHRASE|ID_MISMATCH|WEAK)$/),
			});
		}
	});

	test("white space, missing or further lines, CRLF", () => {
		for (const changed of [
			file.slice(0, -1),
			`${file}\n`,
			` ${file}`,
			file.replaceAll("\n", "\r\n"),
			`${file}comment: x\n`,
			file.split("\n").slice(1).join("\n"),
			file.replace("kdf:", "kdf: "),
			"x".repeat(1_000_000),
		]) {
			expect(() => publicKeyOfSecretFile(changed)).toThrow(
				expect.objectContaining({ code: "KEY_MALFORMED" }),
			);
		}
	});
});

describe("the seed line", () => {
	test("round trip, with and without a final newline", async () => {
		const line = formatSeed(secret);
		expect((await parseSeed(line)).publicKey).toEqual(secret.publicKey);
		expect((await parseSeed(`${line}\n`)).publicKey).toEqual(secret.publicKey);
	});

	test("what is not a seed line is refused, and never repeated in the error", async () => {
		const line = formatSeed(secret);
		const value = line.split(" ")[1]!;
		for (const text of [
			"",
			value,
			`${line} `,
			`${line}\n\n`,
			`${line}\r\n`,
			line.replace("seed ", "seed  "),
			line.slice(0, -1),
			`kfn-ed25519-seed ${value.replace(/.=$/, (end) => `${nextBase64(end[0]!)}=`)}`,
		]) {
			const error = await parseSeed(text).then(
				() => undefined,
				(reason: unknown) => reason,
			);
			expect(error, JSON.stringify(text)).toMatchObject({ code: "KEY_MALFORMED" });
			expect(JSON.stringify(error) + String(error)).not.toContain(value.slice(0, 12));
		}
	});
});

describe("other implementations", () => {
	test("node:crypto's Argon2id is RFC 9106's (§5.3)", () => {
		const tag = argon2Sync("argon2id", {
			message: Buffer.alloc(32, 1),
			nonce: Buffer.alloc(16, 2),
			secret: Buffer.alloc(8, 3),
			associatedData: Buffer.alloc(12, 4),
			parallelism: 4,
			passes: 3,
			memory: 32,
			tagLength: 32,
		});
		expect(hexOf(tag)).toBe("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
	});

	let folder: string;
	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), "kfn-interop-"));
		const source = join(import.meta.dirname, "secret-key-file.interop.c");
		await run("cc", ["-Wall", "-Wextra", "-Werror", "-o", join(folder, "open"), source, "-lsodium"]);
	});
	afterAll(() => rm(folder, { recursive: true, force: true }));

	test("libsodium's C library opens our files", async () => {
		const rfc = await secretKeyOfSeed(Buffer.alloc(32, 7));
		const text = await encryptSecretKey(rfc, "pass phrase", { cost: { passes: 3, memoryKiB: 1024 } });
		expect(await openInC(text, "pass phrase")).toBe(hexOf(rfc.exposeSeed()));
		await expect(openInC(text, "pass phrasE")).rejects.toMatchObject({ code: 1 });
		await expect(openInC(text.replace("keyid: ", "keyid:  "), "pass phrase")).rejects.toMatchObject({
			code: 1,
		});
	});

	async function openInC(text: string, passphrase: string): Promise<string> {
		const field = (name: string) => new RegExp(`${name}=?:? ?([A-Za-z0-9+/=]+)`).exec(text)![1]!;
		const hex = (base64: string) => Buffer.from(base64, "base64").toString("hex");
		const header = text.slice(0, text.lastIndexOf("secret: "));
		const { stdout } = await run(join(folder, "open"), [
			passphrase,
			/ t=(\d+)/.exec(text)![1]!,
			/ m=(\d+)/.exec(text)![1]!,
			hex(field("salt")),
			hex(field("nonce")),
			Buffer.from(header).toString("hex"),
			hex(/\nsecret: (\S+)\n/.exec(text)![1]!),
		]);
		return stdout.trim();
	}
});

/** The last character before one `=` carries two bits that must be zero; the next one in the alphabet sets one. */
function nextBase64(character: string): string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	return alphabet[alphabet.indexOf(character) + 1]!;
}
