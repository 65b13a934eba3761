// publishers.json: who may sign what. The first matching entry decides; what could be read in two ways is refused.
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair } from "./ed25519.ts";
import { formatPublicKey } from "./public-key.ts";
import { PUBLISHERS_LIMITS, parsePublishers, publisherFor, serializePublishers } from "./publishers.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code, exit: 3 });
const parse = (publishers: unknown) =>
	parsePublishers(utf8(JSON.stringify({ schema: "kfn.publishers/1", publishers })));
const malformed = (publishers: unknown) =>
	expect(() => parse(publishers), JSON.stringify(publishers)).toThrow(refused("PUBLISHERS_MALFORMED"));

let keys: string[];
beforeAll(async () => {
	const made = await Promise.all([1, 2, 3].map((n) => generateKeyPair(`key ${n}`)));
	keys = made.map((key) => formatPublicKey(key.publicKey));
});
const entry = (names: unknown, at = 0) => ({ names, threshold: 1, keys: [keys[at]!] });

test("what is parsed comes out in the canonical spelling, and parses to the same", () => {
	const map = parse([{ names: ["flow-dissector", "acme-*"], threshold: 2, keys }, entry(["*"], 1)]);
	const bytes = serializePublishers(map);
	expect(parsePublishers(bytes)).toEqual(map);
	expect(new TextDecoder().decode(bytes)).toMatch(/^\{\n {2}"schema": "kfn.publishers\/1",\n[\s\S]*\n\}\n$/);
});

test("people may lay it out as they like", () => {
	const text = `\t{ "publishers" : [ {"keys":["${keys[0]}"],\r\n "threshold": 1, "names":["gro"]} ],\n"schema":"kfn.publishers/1"}`;
	expect(publisherFor(parsePublishers(utf8(text)), "gro").threshold).toBe(1);
});

describe("which entry decides", () => {
	test("literal names, prefixes, the first in order, and none", () => {
		const map = parse([entry(["acme-core"], 0), entry(["acme-*", "gro"], 1), entry(["a*"], 2)]);
		const at = (name: string) => map.publishers.indexOf(publisherFor(map, name));
		expect(["acme-core", "acme-gro", "gro", "acme", "abc"].map(at)).toEqual([0, 1, 1, 2, 2]);
		for (const name of ["gro2", "groo", "b", "tso"]) {
			expect(() => publisherFor(map, name)).toThrow(refused("PUBLISHERS_NO_MATCH"));
		}
	});

	test("an entry behind a wider one never decides", () => {
		const map = parse([entry(["*"], 0), entry(["gro"], 1)]);
		expect(publisherFor(map, "gro")).toBe(map.publishers[0]);
	});

	test("no publishers, no trust", () => {
		expect(() => publisherFor(parse([]), "gro")).toThrow(refused("PUBLISHERS_NO_MATCH"));
	});

	test.each([
		"",
		"*",
		"acme-*",
		"acme-",
		"-acme",
		"Acme-x",
		"acme-x\n",
		"acme-\u0000",
		"../acme-x",
		"a".repeat(65),
	])("%j is not a bundle's name, so that no pattern matches it", (name) => {
		expect(() => publisherFor(parse([entry(["*"]), entry(["acme-*"])]), name)).toThrow(
			refused("PUBLISHERS_NO_MATCH"),
		);
	});
});

describe("revoked keys", () => {
	const digest = "ab".repeat(32);
	const revoked = (changes: object = {}) => [
		{ key: keys[1], reason: "stolen", manifests: [digest], ...changes },
	];

	test("come out as they went in, and an entry without them is spelled as before", () => {
		const map = parse([{ ...entry(["gro"]), revoked: revoked() }, entry(["tso"])]);
		expect(map.publishers[0]!.revoked).toMatchObject([{ reason: "stolen", manifests: [digest] }]);
		expect(map.publishers[1]).not.toHaveProperty("revoked");
		expect(parsePublishers(serializePublishers(map))).toEqual(map);
	});

	test("that also count, or are listed twice, are refused", () => {
		malformed([{ ...entry(["gro"], 1), revoked: revoked() }]);
		malformed([{ ...entry(["gro"]), revoked: [...revoked(), ...revoked({ reason: "again" })] }]);
	});

	test("with unknown, missing and mistyped fields are refused", () => {
		for (const changes of [
			{ reason: "" },
			{ reason: "x".repeat(501) },
			{ reason: "a\nb" },
			{ reason: 1 },
			{ manifests: [digest, digest] },
			{ manifests: [digest.toUpperCase()] },
			{ manifests: [1] },
			{ manifests: null },
			{
				manifests: Array.from({ length: PUBLISHERS_LIMITS.manifests + 1 }, (_, i) =>
					i.toString(16).padStart(64, "0"),
				),
			},
			{ key: "no key" },
			{ more: 1 },
		])
			malformed([{ ...entry(["gro"]), revoked: revoked(changes) }]);
		malformed([{ ...entry(["gro"]), revoked: [] }]);
		malformed([{ ...entry(["gro"]), revoked: [{ key: keys[1], reason: "stolen" }] }]);
		malformed([{ ...entry(["gro"]), keys: [], revoked: revoked() }]);
	});
});

describe("attacks and slips", () => {
	test("threshold that any signature, or none, would meet", () => {
		for (const threshold of [0, -1, 1.5, "1", null, true, [1], 4, 1e99, undefined]) {
			malformed([{ names: ["gro"], threshold, keys }]);
		}
	});

	test("threshold written so that parsers read different numbers", () => {
		const file = (threshold: string) =>
			utf8(
				`{"schema":"kfn.publishers/1","publishers":[{"names":["gro"],"threshold":${threshold},"keys":${JSON.stringify(keys)}}]}`,
			);
		expect(parsePublishers(file("2")).publishers[0]!.threshold).toBe(2);
		for (const text of ["2.0", "2e0", "0.2e1", "2.0000000000000000001", "1.9999999999999999999"]) {
			expect(() => parsePublishers(file(text)), text).toThrow(refused("PUBLISHERS_MALFORMED"));
		}
	});

	test("duplicate JSON keys, where parsers differ on which one wins", () => {
		const one = JSON.stringify({ schema: "kfn.publishers/1", publishers: [entry(["gro"])] });
		for (const file of [
			one.replace('"threshold":1', '"threshold":1,"threshold":1'),
			one.replace('"threshold":1', '"threshold":1,"thre\\u0073hold":1'),
			one.replace('"publishers":', '"publishers":[],"publishers":'),
			one.replace('"names":', '"keys":[],"names":'),
		]) {
			expect(JSON.parse(file)).toBeTruthy();
			expect(() => parsePublishers(utf8(file)), file).toThrow(refused("PUBLISHERS_MALFORMED"));
		}
	});

	test("one key twice, with another comment, to meet a threshold of two", () => {
		malformed([{ names: ["gro"], threshold: 2, keys: [keys[0], keys[0]] }]);
		malformed([{ names: ["gro"], threshold: 2, keys: [keys[0], keys[0]!.replace("key 1", "key one")] }]);
	});

	test("a name twice, so that the second entry is believed and never asked", () => {
		malformed([entry(["gro"], 0), entry(["gro"], 1)]);
		malformed([entry(["gro", "gro"])]);
		malformed([entry(["acme-*"], 0), entry(["gro", "acme-*"], 1)]);
	});

	test("patterns that are more than a name or a prefix", () => {
		for (const name of [
			"",
			"**",
			"a**",
			"a*b",
			"*a",
			"a*-*",
			"A",
			"a?",
			"[a]",
			".*",
			"a.",
			"-a",
			"a-",
			"a/b",
			"a ",
			"a\n",
			"-*",
			1,
			null,
			["a"],
			"a".repeat(65),
			`${"a".repeat(64)}*`,
		]) {
			malformed([entry([name])]);
		}
		for (const name of ["*", "a*", "a-*", "a", "1", `${"a".repeat(63)}*`, "a".repeat(64)]) {
			expect(parse([entry([name])]).publishers[0]!.names).toEqual([name]);
		}
	});

	test("weak, damaged and foreign keys, with the reason and the place", () => {
		const zero = `kfn-ed25519 66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925 ${Buffer.alloc(32).toString("base64")}`;
		for (const [line, code] of [
			[zero, "KEY_WEAK"],
			[keys[0]!.replace(/ [0-9a-f]{64} /, ` ${"0".repeat(64)} `), "KEY_ID_MISMATCH"],
			[`${keys[0]}\n`, "KEY_MALFORMED"],
			["ssh-ed25519 AAAA", "KEY_MALFORMED"],
		] as const) {
			const error = errorOf(() =>
				parse([entry(["gro"]), { names: ["tso"], threshold: 1, keys: [keys[0], line] }]),
			);
			expect(error).toMatchObject({ code: "PUBLISHERS_MALFORMED", details: { key: code }, cause: { code } });
			expect((error as Error).message).toContain("key 2 of publisher 2");
		}
	});

	test("unknown, missing and mistyped fields", () => {
		for (const publishers of [
			[{ ...entry(["gro"]), expires: "never" }],
			[{ names: ["gro"], keys }],
			[{ threshold: 1, keys }],
			[{ ...entry(["gro"]), keys: [] }],
			[{ ...entry(["gro"]), keys: keys[0] }],
			[{ ...entry(["gro"]), keys: [1] }],
			[entry([])],
			[entry("gro")],
			[null],
			[[]],
			{},
			null,
			undefined,
		]) {
			malformed(publishers);
		}
		for (const file of [
			"null",
			"[]",
			'{"publishers":[]}',
			'{"schema":"kfn.publishers/2","publishers":[]}',
			'{"schema":"kfn.publishers/1","publishers":[],"__proto__":{}}',
		]) {
			expect(() => parsePublishers(utf8(file)), file).toThrow(refused("PUBLISHERS_MALFORMED"));
		}
	});

	test("too many, too large, not UTF-8, BOM, trailing bytes", () => {
		malformed(Array(PUBLISHERS_LIMITS.publishers + 1).fill(null));
		malformed([entry([...Array(PUBLISHERS_LIMITS.names + 1).keys()].map((n) => `n${n}`))]);
		malformed([{ ...entry(["gro"]), keys: Array(PUBLISHERS_LIMITS.keys + 1).fill(keys[0]) }]);
		const good = '{"schema":"kfn.publishers/1","publishers":[]}';
		expect(parsePublishers(utf8(good)).publishers).toEqual([]);
		for (const file of [
			utf8(`${good}${" ".repeat(PUBLISHERS_LIMITS.fileBytes)}`),
			utf8(`\ufeff${good}`),
			utf8(`${good}\0`),
			utf8(`${good}{}`),
			new Uint8Array([...utf8(good), 0xff]),
			utf8("[".repeat(500_000)),
			utf8(""),
		]) {
			expect(() => parsePublishers(file)).toThrow(refused("PUBLISHERS_MALFORMED"));
		}
	});
});

function errorOf(action: () => unknown): unknown {
	try {
		action();
	} catch (error) {
		return error;
	}
	return undefined;
}
