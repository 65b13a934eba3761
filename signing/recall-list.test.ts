// The recall list: what a thief of the registry, a mirror or a clock can make of it.
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "./ed25519.ts";
import {
	demandCurrentList,
	openRecallList,
	RECALL_LIST_LIMITS,
	type RecallList,
	signRecallList,
} from "./recall-list.ts";

const LIST: RecallList = {
	sequence: 7,
	issued: "2026-11-29T12:00:00Z",
	expires: "2026-11-30T12:00:00Z",
	names: [
		{ name: "gro", sha256: "ab".repeat(32), size: 1234 },
		{ name: "tso", sha256: "cd".repeat(32), size: 99 },
	],
};
const NOW = new Date("2026-11-29T18:00:00Z");
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code, exit: 3 });

let key: SecretKey;
let file: Uint8Array;
beforeAll(async () => {
	key = await generateKeyPair("recall");
	file = await signRecallList({ ...LIST, names: [...LIST.names].reverse() }, key);
});

test("it is read as it was made, in one order, and stays small", async () => {
	expect(await openRecallList(file, key.publicKey)).toEqual(LIST);
	const many = Array.from({ length: 100 }, (_, i) => ({ ...LIST.names[0]!, name: `function-${i}` }));
	expect((await signRecallList({ ...LIST, names: many }, key)).byteLength).toBeLessThan(16 * 1024);
});

describe("attacks", () => {
	test("signed by another key, and any bit changed", async () => {
		const eve = await generateKeyPair();
		await expect(openRecallList(file, eve.publicKey)).rejects.toEqual(refused("SIGNATURE_UNKNOWN_KEY"));
		const text = Buffer.from(file).toString();
		const { payload } = JSON.parse(text) as { payload: string };
		const emptied = Buffer.from(payload, "base64")
			.toString()
			.replace(/\[.*\]/, "[]");
		const changed = text.replace(payload, Buffer.from(emptied).toString("base64"));
		await expect(openRecallList(Buffer.from(changed), key.publicKey)).rejects.toEqual(
			refused("SIGNATURE_INVALID"),
		);
	});

	test("replayed: an older one than was seen", () => {
		demandCurrentList(LIST, { sequence: 7 }, NOW);
		expect(() => demandCurrentList(LIST, { sequence: 8 }, NOW)).toThrow(refused("RECALL_LIST_ROLLBACK"));
	});

	test("withheld: it counts until it expires", () => {
		demandCurrentList(LIST, undefined, new Date("2026-11-30T11:59:59.999Z"));
		expect(() => demandCurrentList(LIST, undefined, new Date("2026-11-30T12:00:00Z"))).toThrow(
			refused("RECALL_LIST_EXPIRED"),
		);
	});

	test("signed for later by whoever stole the key", async () => {
		demandCurrentList(LIST, undefined, new Date("2026-11-29T11:55:00Z"));
		expect(() => demandCurrentList(LIST, undefined, new Date("2026-11-29T11:54:59Z"))).toThrow(
			refused("RECALL_LIST_NOT_YET"),
		);
		const long = { ...LIST, expires: "2026-12-06T12:00:01Z" };
		await expect(signRecallList(long, key)).rejects.toEqual(refused("RECALL_LIST_MALFORMED"));
	});
});

test.each<[string, Partial<Record<keyof RecallList, unknown>>]>([
	["a name twice", { names: [LIST.names[0], LIST.names[0]] }],
	["no sequence", { sequence: 0 }],
	["no time", { issued: "2026-11-29" }],
	["an expiry before its issue", { expires: "2026-11-29T11:00:00Z" }],
	["no digest", { names: [{ ...LIST.names[0], sha256: "ab" }] }],
	["no size", { names: [{ ...LIST.names[0], size: RECALL_LIST_LIMITS.documentBytes + 1 }] }],
])("%s", async (_what, change) => {
	await expect(signRecallList({ ...LIST, ...change } as RecallList, key)).rejects.toEqual(
		refused("RECALL_LIST_MALFORMED"),
	);
});
