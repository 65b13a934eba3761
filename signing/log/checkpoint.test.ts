// Whose signature on a checkpoint counts: the log's, then as many witnesses as are asked for. Attacks by name.
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "../ed25519.ts";
import {
	checkpointText,
	type LogTrust,
	openCheckpoint,
	parseCheckpoint,
	signCheckpoint,
} from "./checkpoint.ts";
import { cosign, verifyCosignature } from "./cosignature.ts";
import { EMPTY_ROOT, leafHash } from "./merkle.ts";
import {
	type NoteSignature,
	parseNote,
	parseVerifierKey,
	serializeNote,
	signNote,
	verifierKey,
} from "./note.ts";

const ORIGIN = "registry.example/log";
const HEAD = { size: 42, root: leafHash(Buffer.from("x")) };
const TEXT = checkpointText(ORIGIN, HEAD);
const NOW = 1_700_000_000;
const code = (name: string) => expect.objectContaining({ code: name });

let log: SecretKey;
let witnesses: { name: string; secret: SecretKey }[];
beforeAll(async () => {
	log = await generateKeyPair();
	witnesses = await Promise.all(
		["one", "two", "three"].map(async (n) => ({
			name: `witness.example/${n}`,
			secret: await generateKeyPair(),
		})),
	);
});

const trust = (quorum = 0): LogTrust => ({
	origin: ORIGIN,
	key: verifierKey(ORIGIN, "ed25519", log.publicKey),
	witnesses: witnesses.map(({ name, secret }) => verifierKey(name, "cosignature", secret.publicKey)),
	quorum,
});
const note = (signatures: readonly NoteSignature[], text = TEXT) => serializeNote({ text, signatures });
const own = (secret = log, name = ORIGIN) => signNote(TEXT, name, secret);
const cosigned = (n: number, text = TEXT) => cosign(text, witnesses[n]!, NOW);

test("a signed checkpoint says its origin, size and root", async () => {
	const bytes = await signCheckpoint(ORIGIN, HEAD, log);
	expect(await openCheckpoint(bytes, trust())).toMatchObject({ origin: ORIGIN, ...HEAD, cosigners: [] });
});

test("the empty tree has a checkpoint, too", async () => {
	const bytes = await signCheckpoint(ORIGIN, { size: 0, root: EMPTY_ROOT }, log);
	expect(await openCheckpoint(bytes, trust())).toMatchObject({ size: 0 });
	const wrong = await signCheckpoint(ORIGIN, { size: 0, root: HEAD.root }, log);
	await expect(openCheckpoint(wrong, trust())).rejects.toEqual(code("LOG_CHECKPOINT_MALFORMED"));
});

describe("the log's signature", () => {
	test("a checkpoint re-signed by another key", async () => {
		const other = await generateKeyPair();
		const bytes = note([await own(other)]);
		await expect(openCheckpoint(bytes, trust())).rejects.toEqual(code("LOG_SIGNATURE"));
	});

	test("another key's signature under the log's key id", async () => {
		const other = await own(await generateKeyPair());
		const bytes = note([{ ...other, id: trust().key.id }]);
		await expect(openCheckpoint(bytes, trust())).rejects.toEqual(code("LOG_SIGNATURE"));
	});

	test("a good signature beside a bad one of the same key: the whole note is refused", async () => {
		const good = await own();
		const bad = { ...good, bytes: good.bytes.with(0, good.bytes[0]! ^ 1) };
		for (const signatures of [
			[good, bad],
			[bad, good],
		]) {
			await expect(openCheckpoint(note(signatures), trust())).rejects.toEqual(code("LOG_SIGNATURE"));
		}
	});

	test("signatures of unknown keys are ignored", async () => {
		const strangers = [
			await own(await generateKeyPair(), "stranger"),
			{ name: "pq", id: "00000000", bytes: Buffer.alloc(2420) },
		];
		await openCheckpoint(note([...strangers, await own()]), trust());
		await expect(openCheckpoint(note(strangers), trust())).rejects.toEqual(code("LOG_SIGNATURE"));
	});

	test("the checkpoint of another log, signed by the same key", async () => {
		const bytes = await signCheckpoint("registry.example/other", HEAD, log);
		await expect(openCheckpoint(bytes, trust())).rejects.toEqual(code("LOG_ORIGIN"));
	});

	test("a size, a root or an extension changed under the signature", async () => {
		const signature = await own();
		for (const text of [TEXT.replace("42", "43"), TEXT.replace(/=\n/, "=\nextension\n")]) {
			await expect(openCheckpoint(note([signature], text), trust())).rejects.toEqual(code("LOG_SIGNATURE"));
		}
	});
});

describe("witnesses", () => {
	test("a quorum of distinct witnesses is asked for", async () => {
		const bytes = note([await own(), await cosigned(0), await cosigned(2)]);
		const { cosigners } = await openCheckpoint(bytes, trust(2));
		expect(cosigners).toEqual(["witness.example/one", "witness.example/three"]);
		await expect(openCheckpoint(bytes, trust(3))).rejects.toEqual(code("LOG_QUORUM"));
	});

	test("one witness twice is one witness", async () => {
		const again = await cosign(TEXT, witnesses[0]!, NOW + 1);
		const bytes = note([await own(), await cosigned(0), again]);
		await expect(openCheckpoint(bytes, trust(2))).rejects.toEqual(code("LOG_QUORUM"));
	});

	test("a cosignature over another checkpoint, or with another time", async () => {
		const other = await cosigned(0, checkpointText(ORIGIN, { ...HEAD, size: 43 }));
		const good = await cosigned(0);
		const later = { ...good, bytes: good.bytes.with(7, good.bytes[7]! ^ 1) };
		for (const bad of [other, later, { ...good, bytes: good.bytes.slice(0, 71) }]) {
			await expect(openCheckpoint(note([await own(), bad]), trust())).rejects.toEqual(code("LOG_SIGNATURE"));
		}
	});

	test("a log's own kind of signature by a witness's key is no cosignature", async () => {
		const bytes = note([await own(), await own(witnesses[0]!.secret, witnesses[0]!.name)]);
		await expect(openCheckpoint(bytes, trust(1))).rejects.toEqual(code("LOG_QUORUM"));
	});

	test("cosignatures alone do not make it the log's", async () => {
		const bytes = note([await cosigned(0), await cosigned(1)]);
		await expect(openCheckpoint(bytes, trust(2))).rejects.toEqual(code("LOG_SIGNATURE"));
	});

	test("a quorum that is not a number refuses", async () => {
		const bytes = note([await own(), await cosigned(0)]);
		await expect(openCheckpoint(bytes, trust(Number.NaN))).rejects.toEqual(code("LOG_QUORUM"));
	});

	test("the time of a cosignature is signed, and at most 2^63 - 1", async () => {
		const key = trust().witnesses[0]!;
		expect(await verifyCosignature(TEXT, await cosigned(0), key)).toBe(BigInt(NOW));
		const bytes = Buffer.from((await cosigned(0)).bytes);
		bytes.writeBigUInt64BE(2n ** 63n);
		expect(await verifyCosignature(TEXT, { name: key.name, id: key.id, bytes }, key)).toBeUndefined();
	});
});

describe("malformed checkpoints", () => {
	const root = TEXT.split("\n")[2];
	test.each([
		["no root", `${ORIGIN}\n42\n`],
		["an empty origin", `\n42\n${root}\n`],
		["an empty extension line", `${ORIGIN}\n42\n${root}\n\nx\n`],
		["a size with a leading zero", `${ORIGIN}\n042\n${root}\n`],
		["a negative size", `${ORIGIN}\n-1\n${root}\n`],
		["a size in hex", `${ORIGIN}\n0x2a\n${root}\n`],
		["a size beyond exact numbers", `${ORIGIN}\n9007199254740993\n${root}\n`],
		["a root of 31 bytes", `${ORIGIN}\n42\n${Buffer.alloc(31).toString("base64")}\n`],
		["a root in hex", `${ORIGIN}\n42\n${"0".repeat(64)}\n`],
	])("%s", async (_, text) => {
		const signed = note([await signNote(text, ORIGIN, log)], text);
		await expect(openCheckpoint(signed, trust())).rejects.toEqual(code("LOG_CHECKPOINT_MALFORMED"));
	});

	test("an extension line is taken, and is part of what is signed", async () => {
		const text = `${TEXT}extension\n`;
		const bytes = note([await signNote(text, ORIGIN, log)], text);
		expect(await openCheckpoint(bytes, trust())).toMatchObject({ size: 42 });
	});
});

/** C2SP tlog-cosignature, the example checkpoint: our parser reads it, and its lines are of the shapes we write. */
test("the specification's example of a cosigned checkpoint", () => {
	const text = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`;
	const { origin, size, note: parsed } = parseCheckpoint(Buffer.from(text));
	expect({ origin, size }).toEqual({ origin: "example.com/behind-the-sofa", size: 20852163 });
	expect(parsed.signatures.map(({ bytes }) => bytes.byteLength)).toEqual([64, 72]);
	// The timestamp of the example of a signed message: "time 1679315147".
	expect(Buffer.from(parsed.signatures[1]!.bytes).readBigUInt64BE()).toBe(1679315147n);
	expect(Buffer.from(serializeNote(parseNote(Buffer.from(text)))).toString()).toBe(text);
	expect(() => parseVerifierKey("example.com/behind-the-sofa")).toThrow();
});
