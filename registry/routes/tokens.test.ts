// Tokens over real HTTP: every way in which one does not fit has its own code, and nothing of it can be read back.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUNDLE_MEDIA_TYPE, paths } from "../api/wire.ts";
import { type TestBundle, testBundle } from "../testing/bundles.ts";
import { TestServer } from "../testing/server.ts";

let server: TestServer;
let bundle: TestBundle;
let now: Date;
beforeAll(async () => {
	now = new Date("2026-01-01T00:00:00.000Z");
	server = await TestServer.start({ now: () => now });
	bundle = await testBundle();
});
afterAll(() => server[Symbol.asyncDispose]());

const later = "2026-01-02T00:00:00.000Z";
const outcome = async (token: string | undefined) => {
	const answer = await server.publish(bundle, token);
	return [answer.status, answer.code];
};

test("no token", async () => {
	const answer = await server.publish(bundle, undefined);
	expect([answer.status, answer.code]).toEqual([401, "REGISTRY_TOKEN_MISSING"]);
	expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
});

test("a token that this registry did not make", async () => {
	expect(await outcome(`kfn_${"A".repeat(43)}`)).toEqual([401, "REGISTRY_TOKEN_INVALID"]);
});

test.each(["", "x", "kfn_", `kfn_${"A".repeat(44)}`, `kfn_${"A".repeat(42)}=`])(
	"a malformed token: %j",
	async (text) => {
		expect(await outcome(text)).toEqual([401, "REGISTRY_TOKEN_INVALID"]);
	},
);

test.each(["Basic eDp5", "kfn_", "Bearer", "Bearer a b"])(
	"another kind of authorization: %j",
	async (authorization) => {
		const answer = await server.request(paths.yank("sample", "1.0.0"), {
			method: "DELETE",
			headers: { authorization },
		});
		expect([answer.status, answer.code]).toEqual([401, "REGISTRY_TOKEN_INVALID"]);
	},
);

test("a token that differs in its last character", async () => {
	const token = await server.token({ expiresAt: later });
	const last = token.endsWith("A") ? "E" : "A";
	expect(await outcome(token.slice(0, -1) + last)).toEqual([401, "REGISTRY_TOKEN_INVALID"]);
});

test("a token's hash is not a token", async () => {
	const { id } = await server.registry.tokens.create({
		label: "x",
		names: "*",
		verbs: ["publish"],
		expiresAt: later,
	});
	expect(await outcome(id)).toEqual([401, "REGISTRY_TOKEN_INVALID"]);
});

test("an expired token, from the very millisecond on", async () => {
	const token = await server.token({ expiresAt: later, verbs: ["yank"] });
	now = new Date(Date.parse(later) - 1);
	expect(await outcome(token)).toEqual([403, "REGISTRY_TOKEN_SCOPE"]);
	now = new Date(later);
	expect(await outcome(token)).toEqual([401, "REGISTRY_TOKEN_EXPIRED"]);
	now = new Date("2026-01-01T00:00:00.000Z");
});

test("a revoked token, at once", async () => {
	const spec = { label: "x", names: "*", verbs: ["yank"], expiresAt: later } as const;
	const { id, token } = await server.registry.tokens.create(spec);
	expect(await outcome(token)).toEqual([403, "REGISTRY_TOKEN_SCOPE"]);
	await server.registry.tokens.revoke(id);
	await server.registry.tokens.revoke(id);
	expect(await outcome(token)).toEqual([401, "REGISTRY_TOKEN_REVOKED"]);
	await expect(server.registry.tokens.revoke("nobody")).rejects.toMatchObject({
		code: "REGISTRY_TOKEN_UNKNOWN",
	});
});

test.each([
	["sample", ["publish"], "publishes"],
	["*", ["publish"], "publishes"],
	["sam*", ["publish", "yank"], "publishes"],
	["sampl", ["publish"], "REGISTRY_TOKEN_SCOPE"],
	["samples", ["publish"], "REGISTRY_TOKEN_SCOPE"],
	["sample-*", ["publish"], "REGISTRY_TOKEN_SCOPE"],
	["*", ["yank", "read"], "REGISTRY_TOKEN_SCOPE"],
] as const)("a token for %s with %j: %s", async (names, verbs, expected) => {
	const [, code] = await outcome(await server.token({ names, verbs: [...verbs], expiresAt: later }));
	expect(code || "publishes").toBe(expected);
});

test("a token stops being valid while its upload runs: the upload does not finish", async () => {
	const spec = { label: "x", names: "*", verbs: ["publish"], expiresAt: later } as const;
	const { id, token } = await server.registry.tokens.create(spec);
	const late = await testBundle({ name: "late" });
	const { archive } = late;
	let send: ReadableStreamDefaultController<Uint8Array> | undefined;
	const body = new ReadableStream<Uint8Array>({
		start(controller) {
			controller.enqueue(archive.subarray(0, 100));
			send = controller;
		},
	});
	const headers = { authorization: `Bearer ${token}`, "content-type": BUNDLE_MEDIA_TYPE };
	const url = `${server.url}${paths.bundle("late", "1.0.0")}`;
	const answer = fetch(url, { method: "PUT", headers, body, duplex: "half" } as RequestInit);
	// A file in the folder of uploads under way means: the token was accepted.
	await server.uploadsUnderWay(1);
	await server.registry.tokens.revoke(id);
	send?.enqueue(archive.subarray(100));
	send?.close();
	expect(await (await answer).json()).toMatchObject({ error: { code: "REGISTRY_TOKEN_REVOKED" } });
	expect(await server.index("late")).toBeUndefined();
	expect(server.blobsOnDisk()).not.toContain(late.sha256);
});

test("the list shows states and no secret, and nothing on disk holds a token's text", async () => {
	const { id, token } = await server.registry.tokens.create({
		label: "shown",
		names: "acme-*",
		verbs: ["yank", "publish"],
		expiresAt: later,
	});
	const listed = await server.registry.tokens.list();
	expect(listed.find((one) => one.id === id)).toEqual({
		id,
		label: "shown",
		names: "acme-*",
		verbs: ["publish", "yank"],
		createdAt: "2026-01-01T00:00:00.000Z",
		expiresAt: later,
		revokedAt: null,
		state: "live",
	});
	await outcome(token);
	for (const file of readdirSync(server.dataDir, { withFileTypes: true }).filter((entry) => entry.isFile())) {
		const bytes = readFileSync(join(server.dataDir, file.name));
		expect([file.name, bytes.includes(token), bytes.includes(token.slice(4))]).toEqual([
			file.name,
			false,
			false,
		]);
	}
	expect(JSON.stringify(server.events)).not.toContain(token);
});

describe("making a token refuses", () => {
	const good = { label: "x", names: "*", verbs: ["publish"], expiresAt: later } as const;
	test.each([
		["an empty label", { label: "" }],
		["a label with an escape", { label: "\u001b[2J" }],
		["no name", { names: "" }],
		["a name with a slash", { names: "a/b" }],
		["a star in the middle", { names: "a*b" }],
		["a regular expression", { names: ".*" }],
		["no verb", { verbs: [] }],
		["an unknown verb", { verbs: ["admin"] }],
		["no time", { expiresAt: "never" }],
		["another spelling of a time", { expiresAt: "2026-01-02" }],
		["a time that has passed", { expiresAt: "2025-01-01T00:00:00.000Z" }],
	])("%s", async (_, change) => {
		const spec = { ...good, ...change } as Parameters<typeof server.registry.tokens.create>[0];
		await expect(server.registry.tokens.create(spec)).rejects.toMatchObject({
			code: "REGISTRY_TOKEN_REFUSED",
		});
	});
});
