// The read-only paths over real HTTP: shaped like static files, cacheable, conditional, and private when asked to be.
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUNDLE_MEDIA_TYPE, type IndexDocument, type NamesDocument, paths } from "../api/wire.ts";
import { type TestBundle, testBundle } from "../testing/bundles.ts";
import { TestServer } from "../testing/server.ts";

const NAMES = ["acme-gro", "acme-tso", "flow-dissector", "zeta"];

async function filled(
	options: { private?: boolean } = {},
): Promise<{ server: TestServer; bundles: TestBundle[] }> {
	const server = await TestServer.start(options);
	const token = await server.token();
	const bundles = await Promise.all(NAMES.map((name) => testBundle({ name })));
	for (const bundle of bundles) expect((await server.publish(bundle, token)).status).toBe(201);
	return { server, bundles };
}

describe("a public registry", () => {
	let server: TestServer;
	let bundles: TestBundle[];
	beforeAll(async () => {
		({ server, bundles } = await filled());
	});
	afterAll(() => server[Symbol.asyncDispose]());

	test("lists versions newest first by semver, not by text or time", async () => {
		const token = await server.token();
		const order = ["1.9.0", "1.10.0", "1.10.0-rc.2", "1.10.0-rc.10", "0.0.1"];
		for (const version of order) await server.publish(await testBundle({ name: "ordered", version }), token);
		const { versions } = (await server.request(paths.index("ordered"))).json as IndexDocument;
		expect(versions.map((one) => one.version)).toEqual([
			"1.10.0",
			"1.10.0-rc.10",
			"1.10.0-rc.2",
			"1.9.0",
			"0.0.1",
		]);
	});

	test("the index is revalidated every ten seconds, a blob never", async () => {
		const index = await server.request(paths.index("zeta"));
		expect(index.headers.get("cache-control")).toBe("max-age=10, must-revalidate");
		expect(index.headers.get("vary")).toBeNull();
		const [, , , bundle] = bundles;
		const blob = await server.request(paths.blob(bundle?.sha256 ?? ""));
		expect(blob.headers.get("cache-control")).toBe("max-age=31536000, immutable");
		expect(blob.headers.get("content-type")).toBe(BUNDLE_MEDIA_TYPE);
		expect(blob.headers.get("content-length")).toBe(String(bundle?.archive.byteLength));
		expect(blob.headers.get("etag")).toBe(`"${bundle?.sha256}"`);
	});

	test.each([
		["index", () => paths.index("zeta")],
		["names", () => paths.names()],
		["blob", () => paths.blob(bundles[0]?.sha256 ?? "")],
		["openapi", () => "/openapi.json"],
	])("conditional GET: %s", async (_, path) => {
		const full = await server.request(path());
		const etag = full.headers.get("etag") ?? "";
		for (const sent of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
			const answer = await server.request(path(), { headers: { "if-none-match": sent } });
			expect([sent, answer.status, answer.body.byteLength]).toEqual([sent, 304, 0]);
			expect(answer.headers.get("etag")).toBe(etag);
			expect(answer.headers.get("cache-control")).toBe(full.headers.get("cache-control"));
		}
		const other = await server.request(path(), { headers: { "if-none-match": '"x"' } });
		expect([other.status, other.body]).toEqual([200, full.body]);
	});

	test("names are paged to the end, each once", async () => {
		const seen: string[] = [];
		for (let after: string | null = ""; after !== null; ) {
			const page: NamesDocument = (await server.request(paths.names({ after, limit: 2 })))
				.json as NamesDocument;
			expect(page.names.length).toBeLessThanOrEqual(2);
			seen.push(...page.names);
			after = page.next;
		}
		expect(seen.filter((name) => NAMES.includes(name))).toEqual(NAMES);
	});

	test.each([
		"limit=0",
		"limit=1001",
		"limit=-1",
		"limit=1e3",
		"limit=",
		"limit=1&limit=2",
		"after=A",
		"after=a&after=b",
	])("a page with %s is refused", async (query) => {
		const answer = await server.request(`/v1/names.json?${query}`);
		expect([answer.status, answer.code]).toEqual([400, "REGISTRY_REQUEST_INVALID"]);
	});

	test("what is not there: 404 with a code, never cached", async () => {
		for (const path of [
			paths.index("nobody"),
			paths.blob("0".repeat(64)),
			"/",
			"/v1",
			"/v1/index/zeta",
			"/v2/index/zeta.json",
		]) {
			const answer = await server.request(path);
			expect([path, answer.status, answer.code]).toEqual([path, 404, "REGISTRY_NOT_FOUND"]);
			expect(answer.headers.get("cache-control")).toBe("no-store");
		}
	});

	test("the server says that it is up", async () => {
		expect((await server.request("/healthz")).json).toEqual({ schema: "kfn.health/1", status: "ok" });
	});
});

describe("a blob that rotted on disk", () => {
	const place = (server: TestServer, sha256: string) =>
		join(server.dataDir, "blobs/sha256", sha256.slice(0, 2), sha256);

	test.each([
		["other bytes", (path: string) => flip(path)],
		["a longer file", (path: string) => appendFileSync(path, "x")],
		["no file", (path: string) => rmSync(path)],
	])("is answered 503, reported, and healed by publishing it again: %s", async (_, damage) => {
		await using server = await TestServer.start();
		const token = await server.token();
		const bundle = await testBundle();
		await server.publish(bundle, token);
		damage(place(server, bundle.sha256));
		const answer = await server.request(paths.blob(bundle.sha256));
		expect([answer.status, answer.code]).toEqual([503, "REGISTRY_BLOB_CORRUPT"]);
		expect(answer.headers.get("etag")).toBeNull();
		expect(server.events.map((event) => event.details?.["code"])).toEqual(["REGISTRY_BLOB_CORRUPT"]);
		expect((await server.publish(bundle, token)).status).toBe(200);
		expect((await server.request(paths.blob(bundle.sha256))).status).toBe(200);
	});

	test("one too large to check before it is sent is cut off: the client never gets it whole", async () => {
		await using server = await TestServer.start();
		// Random bytes do not compress, so the archive is larger than one chunk of the verified read.
		const { randomBytes } = await import("node:crypto");
		const bundle = await testBundle({ readme: randomBytes(3 * 1024 * 1024) });
		expect((await server.publish(bundle, await server.token())).status).toBe(201);
		expect(bundle.archive.byteLength).toBeGreaterThan(2 * 1024 * 1024);
		flip(place(server, bundle.sha256));
		const response = await fetch(`${server.url}${paths.blob(bundle.sha256)}`);
		expect(response.status).toBe(200);
		await expect(response.arrayBuffer()).rejects.toThrow();
	});

	function flip(path: string): void {
		const bytes = readFileSync(path);
		bytes[5] = (bytes[5] ?? 0) ^ 1;
		writeFileSync(path, bytes);
	}
});

describe("a private registry", () => {
	let server: TestServer;
	let bundles: TestBundle[];
	let acme: string;
	beforeAll(async () => {
		({ server, bundles } = await filled({ private: true }));
		acme = await server.token({ names: "acme-*", verbs: ["read"] });
	});
	afterAll(() => server[Symbol.asyncDispose]());

	test("reads need a token with the verb read", async () => {
		const publisher = await server.token({ verbs: ["publish", "yank"] });
		for (const path of [paths.index("zeta"), paths.names(), paths.blob(bundles[0]?.sha256 ?? "")]) {
			expect((await server.request(path)).code).toBe("REGISTRY_TOKEN_MISSING");
			expect((await server.request(path, { token: publisher })).code).toBe("REGISTRY_TOKEN_SCOPE");
		}
		expect((await server.request("/healthz")).status).toBe(200);
		expect((await server.request("/openapi.json")).status).toBe(200);
	});

	test("a reader sees the names of its pattern", async () => {
		expect((await server.request(paths.index("acme-tso"), { token: acme })).status).toBe(200);
		const names = (await server.request(paths.names(), { token: acme })).json;
		expect(names).toEqual({ schema: "kfn.names/1", names: ["acme-gro", "acme-tso"], next: null });
		expect((await server.request(paths.blob(bundles[0]?.sha256 ?? ""), { token: acme })).status).toBe(200);
	});

	test("and cannot find out whether others exist", async () => {
		const outcome = async (path: string) => {
			const { status, code } = await server.request(path, { token: acme });
			return [status, code];
		};
		expect(await outcome(paths.index("zeta"))).toEqual(await outcome(paths.index("nobody")));
		expect(await outcome(paths.blob(bundles[3]?.sha256 ?? ""))).toEqual(
			await outcome(paths.blob("0".repeat(64))),
		);
		const page = (await server.request(paths.names({ after: "acme-gro", limit: 1 }), { token: acme })).json;
		expect(page).toEqual({ schema: "kfn.names/1", names: ["acme-tso"], next: null });
	});

	test("a conditional GET proves nothing to whoever may not read", async () => {
		const headers = { "if-none-match": "*" };
		expect((await server.request(paths.index("zeta"), { token: acme, headers })).status).toBe(403);
		expect(
			(await server.request(paths.blob(bundles[3]?.sha256 ?? ""), { token: acme, headers })).status,
		).toBe(404);
	});

	test("shared caches may keep nothing", async () => {
		for (const path of [paths.index("acme-tso"), paths.names(), paths.blob(bundles[0]?.sha256 ?? "")]) {
			const { headers } = await server.request(path, { token: acme });
			expect(headers.get("cache-control")).toMatch(/^private, /);
			expect(headers.get("vary")).toBe("authorization");
		}
	});
});
