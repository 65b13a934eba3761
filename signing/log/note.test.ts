// Signed notes against the specification's own example, Go's rules for what a note is, and signatures that do not count.
import { describe, expect, test } from "vitest";
import { type SecretKey, secretKeyOfSeed } from "../ed25519.ts";
import {
	formatVerifierKey,
	NOTE_LIMITS,
	parseNote,
	parseVerifierKey,
	serializeNote,
	signaturesOf,
	signNote,
	verifierKey,
	verifyNote,
} from "./note.ts";

const key = (n: number): Promise<SecretKey> => secretKeyOfSeed(Buffer.alloc(32, n));
const malformed = expect.objectContaining({ code: "LOG_CHECKPOINT_MALFORMED" });

/** C2SP signed-note, "Verifier keys", "Example". */
const SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;

describe("the specification's example", () => {
	test("its key verifies its note, and another text's not", async () => {
		const verifier = parseVerifierKey(SPEC_KEY);
		const note = parseNote(Buffer.from(SPEC_NOTE));
		expect(note.text).toBe("This is an example message.\n");
		const [signature] = signaturesOf(note, verifier);
		expect(await verifyNote(note.text, signature!, verifier)).toBe(true);
		expect(await verifyNote(`${note.text}x`, signature!, verifier)).toBe(false);
	});

	test("both are written back as they were read", () => {
		expect(formatVerifierKey(parseVerifierKey(SPEC_KEY))).toBe(SPEC_KEY);
		expect(Buffer.from(serializeNote(parseNote(Buffer.from(SPEC_NOTE)))).toString()).toBe(SPEC_NOTE);
	});
});

describe("verifier keys", () => {
	test("a base64 that holds a plus is one part, not two", async () => {
		for (let n = 1; n < 40; n++) {
			const text = formatVerifierKey(verifierKey("a", "ed25519", (await key(n)).publicKey));
			expect(formatVerifierKey(parseVerifierKey(text))).toBe(text);
			if (text.split("+").length > 3) return;
		}
		throw new Error("none of the keys has a plus");
	});

	test("a key id of another key, name or type is refused", async () => {
		const one = formatVerifierKey(verifierKey("log", "ed25519", (await key(1)).publicKey));
		const two = formatVerifierKey(verifierKey("log", "cosignature", (await key(1)).publicKey));
		const [, id, base64] = one.split(/\+(.{8})\+/);
		expect(() => parseVerifierKey(`log+${two.split("+")[1]}+${base64}`)).toThrow(code("KEY_ID_MISMATCH"));
		expect(() => parseVerifierKey(`gol+${id}+${base64}`)).toThrow(code("KEY_ID_MISMATCH"));
	});

	test.each([
		"",
		"log",
		"log+530d903a",
		"log++AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"log+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		// Type 02, ECDSA; type 06, ML-DSA-44.
		"example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+530d903a+BukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
		"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
		`${SPEC_KEY}\n`,
	])("%j is no verifier key", (text) => {
		expect(() => parseVerifierKey(text)).toThrow(code("KEY_MALFORMED"));
	});

	test.each(["", "two words", "plus+plus", "line\nend", "a\u2028b", "a\u0085b", "x".repeat(256)])(
		"%j cannot be a key's name",
		async (name) => {
			const { publicKey } = await key(1);
			expect(() => verifierKey(name, "ed25519", publicKey)).toThrow(code("KEY_MALFORMED"));
		},
	);

	test("a key of small order is refused here, too", () => {
		const zero = Buffer.concat([Buffer.of(1), Buffer.alloc(32)]).toString("base64");
		expect(() => parseVerifierKey(`log+00000000+${zero}`)).toThrow(code("KEY_WEAK"));
	});
});

describe("notes", () => {
	const LINE = SPEC_NOTE.split("\n")[2];

	test.each([
		["no signature", "text\n"],
		["no signature, but a blank line", "text\n\n"],
		["no blank line", `text\n${LINE}\n`],
		["no newline at the end", `text\n\n${LINE}`],
		["a blank line at the end", `text\n\n${LINE}\n\n`],
		["a hyphen for the em dash", `text\n\n- ${LINE?.slice(2)}\n`],
		["two spaces", `text\n\n— example.com/foo  ${LINE?.split(" ")[2]}\n`],
		["no name", `text\n\n— ${LINE?.split(" ")[2]}\n`],
		["a name with a plus", `text\n\n— a+b ${LINE?.split(" ")[2]}\n`],
		["a signature of only a key id", "text\n\n— a AAAAAA==\n"],
		["base64 with set trailing bits", "text\n\n— a AAAAAAB=\n"],
		["base64 without padding", "text\n\n— a AAAAAAA\n"],
		["a carriage return", `text\r\n\n${LINE}\n`],
		["a tab", `te\txt\n\n${LINE}\n`],
		["a byte order mark for nothing", "\ufeff"],
		["nothing", ""],
	])("%s", (_, text) => {
		expect(() => parseNote(Buffer.from(text))).toThrow(malformed);
	});

	test("what is not UTF-8", () => {
		expect(() => parseNote(Buffer.concat([Buffer.of(0xff), Buffer.from(SPEC_NOTE)]))).toThrow(malformed);
	});

	test("the text ends at the last blank line", () => {
		const note = parseNote(Buffer.from(`a\n\nb\n\n${LINE}\n`));
		expect(note.text).toBe("a\n\nb\n");
	});

	test(`${NOTE_LIMITS.signatures} signatures are read, also large ones of unknown type; one more is not`, () => {
		const large = `— pq ${Buffer.alloc(3000).toString("base64")}\n`;
		const text = `text\n\n${large.repeat(NOTE_LIMITS.signatures)}`;
		expect(parseNote(Buffer.from(text)).signatures).toHaveLength(NOTE_LIMITS.signatures);
		expect(() => parseNote(Buffer.from(`text\n\n${`${LINE}\n`.repeat(65)}`))).toThrow(malformed);
		expect(() => parseNote(Buffer.from(`${"x".repeat(NOTE_LIMITS.bytes)}\n\n${LINE}\n`))).toThrow(malformed);
	});

	test("a signature under the same name with another id is nobody's", async () => {
		const [one, two] = [await key(1), await key(2)];
		const text = "text\n";
		const note = { text, signatures: [await signNote(text, "log", two)] };
		expect(signaturesOf(note, verifierKey("log", "ed25519", one.publicKey))).toEqual([]);
		expect(signaturesOf(note, verifierKey("other", "ed25519", two.publicKey))).toEqual([]);
		expect(signaturesOf(note, verifierKey("log", "ed25519", two.publicKey))).toHaveLength(1);
	});
});

function code(name: string) {
	return expect.objectContaining({ code: name });
}
