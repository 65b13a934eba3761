// The read-only paths over real HTTP: shaped like static files, cacheable, conditional, and private when asked to be.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Updater } from "tuf-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentsIn } from "#signing/tuf/next-targets.ts";
import { BUNDLE_MEDIA_TYPE, type NamesDocument, paths, targetPaths } from "../api/wire.ts";
import { type TestBundle, testBundle } from "../testing/bundles.ts";
import { TestServer } from "../testing/server.ts";

const NAMES = ["acme-gro", "acme-tso", "flow-dissector", "zeta"];

async function filled(
	options: Parameters<typeof TestServer.start>[0] = {},
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
		const { versions } = (await server.index("ordered")) ?? expect.unreachable();
		expect(versions.map((one) => one.version)).toEqual([
			"1.10.0",
			"1.10.0-rc.10",
			"1.10.0-rc.2",
			"1.9.0",
			"0.0.1",
		]);
	});

	test("the timestamp is revalidated every ten seconds; what it leads to never", async () => {
		const timestamp = await server.request(paths.metadata("timestamp"));
		expect(timestamp.headers.get("cache-control")).toBe("max-age=10, must-revalidate");
		const index = (await server.locate("zeta/index.json")) ?? "";
		for (const path of [paths.metadata("root", 1), paths.metadata("snapshot", 1), index]) {
			const { headers } = await server.request(path);
			expect(headers.get("cache-control")).toBe("max-age=31536000, immutable");
			expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
			expect(headers.get("vary")).toBeNull();
		}
		const [, , , bundle] = bundles;
		const { headers } = await server.request(bundle!.path);
		expect(headers.get("cache-control")).toBe("max-age=31536000, immutable");
		expect(headers.get("content-type")).toBe(BUNDLE_MEDIA_TYPE);
		expect(headers.get("content-length")).toBe(String(bundle?.archive.byteLength));
		expect(headers.get("etag")).toBe(`"${bundle?.sha256}"`);
	});

	test("tuf-js, pointed at the two folders, finds and verifies an archive and the signed documents", async () => {
		const folder = mkdtempSync(join(tmpdir(), "kfn-client-"));
		writeFileSync(join(folder, "root.json"), server.trust!.rootBytes);
		const updater = new Updater({
			metadataDir: folder,
			metadataBaseUrl: `${server.url}/v1/metadata`,
			targetDir: folder,
			targetBaseUrl: `${server.url}/v1/targets`,
		});
		const read = async (path: string) => {
			const target = (await updater.getTargetInfo(path)) ?? expect.unreachable(path);
			return readFileSync(await updater.downloadTarget(target));
		};
		const [bundle] = bundles;
		expect((await read(targetPaths.archive(bundle!.name, "1.0.0"))).equals(bundle!.archive)).toBe(true);
		expect(JSON.parse((await read(targetPaths.index(bundle!.name))).toString())).toEqual(
			await server.index(bundle!.name),
		);
		for (const [path, bytes] of Object.entries(server.trust!.documents)) {
			expect((await read(path)).equals(bytes)).toBe(true);
		}
		expect(await updater.getTargetInfo("nobody/index.json")).toBeUndefined();
		rmSync(folder, { recursive: true });
	});

	test.each([
		["index", () => server.locate("zeta/index.json")],
		["names", () => paths.names()],
		["archive", () => bundles[0]!.path],
		["timestamp", () => paths.metadata("timestamp")],
		["root", () => paths.metadata("root", 1)],
		["openapi", () => "/openapi.json"],
	])("conditional GET: %s", async (_, locate) => {
		const path = (await locate()) ?? "";
		const full = await server.request(path);
		const etag = full.headers.get("etag") ?? "";
		for (const sent of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
			const answer = await server.request(path, { headers: { "if-none-match": sent } });
			expect([sent, answer.status, answer.body.byteLength]).toEqual([sent, 304, 0]);
			expect(answer.headers.get("etag")).toBe(etag);
			expect(answer.headers.get("cache-control")).toBe(full.headers.get("cache-control"));
		}
		const other = await server.request(path, { headers: { "if-none-match": '"x"' } });
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
			paths.target("nobody/index.json", "0".repeat(64)),
			paths.target("zeta/zeta-1.0.0.kfn", "0".repeat(64)),
			// The digest is another target's: each path serves its own bytes only.
			paths.target("zeta/zeta-1.0.0.kfn", bundles[0]!.sha256),
			paths.target("zeta/index.json", bundles[3]!.sha256),
			paths.metadata("root", 2),
			paths.metadata("root"),
			paths.metadata("timestamp", 1),
			paths.metadata("bin-zz", 1),
			"/v1/metadata/01.root.json",
			"/v1/metadata/registry.sqlite",
			"/",
			"/v1",
			"/v1/targets/zeta",
			"/v2/metadata/timestamp.json",
		]) {
			const answer = await server.request(path);
			expect([path, answer.status, answer.code]).toEqual([path, 404, "REGISTRY_NOT_FOUND"]);
			expect(answer.headers.get("cache-control")).toBe("no-store");
		}
	});

	test.each([
		`/v1/targets/zeta/${"0".repeat(63)}.index.json`,
		"/v1/targets/zeta/index.json",
		`/v1/targets/zeta/${"0".repeat(64)}`,
		`/v1/targets/..%2f/${"0".repeat(64)}.index.json`,
		`/v1/targets/zeta/${"0".repeat(64)}.%2e%2e%2fkeys`,
	])("%s is no target's path", async (path) => {
		const answer = await server.request(path);
		expect([answer.status, answer.code]).toEqual([400, "REGISTRY_REQUEST_INVALID"]);
	});
});

describe("an archive that rotted on disk", () => {
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
		const answer = await server.request(bundle.path);
		expect([answer.status, answer.code]).toEqual([503, "REGISTRY_BLOB_CORRUPT"]);
		expect(answer.headers.get("etag")).toBeNull();
		expect(server.events.map((event) => event.details?.["code"])).toEqual(["REGISTRY_BLOB_CORRUPT"]);
		expect((await server.publish(bundle, token)).status).toBe(200);
		expect((await server.request(bundle.path)).status).toBe(200);
	});

	test("one too large to check before it is sent is cut off: the client never gets it whole", async () => {
		await using server = await TestServer.start();
		// Random bytes do not compress, so the archive is larger than one chunk of the verified read.
		const { randomBytes } = await import("node:crypto");
		const bundle = await testBundle({ readme: randomBytes(3 * 1024 * 1024) });
		expect((await server.publish(bundle, await server.token())).status).toBe(201);
		expect(bundle.archive.byteLength).toBeGreaterThan(2 * 1024 * 1024);
		flip(place(server, bundle.sha256));
		const response = await fetch(`${server.url}${bundle.path}`);
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
		({ server, bundles } = await filled({ private: true, trust: { vendors: { vendors: [] } } }));
		acme = await server.token({ names: "acme-*", verbs: ["read"] });
	});
	afterAll(() => server[Symbol.asyncDispose]());

	test("reads need a token with the verb read", async () => {
		const publisher = await server.token({ verbs: ["publish", "yank"] });
		const index = (await server.locate("zeta/index.json", acme)) ?? "";
		for (const path of [paths.metadata("timestamp"), index, paths.names(), bundles[0]!.path]) {
			expect((await server.request(path)).code).toBe("REGISTRY_TOKEN_MISSING");
			expect((await server.request(path, { token: publisher })).code).toBe("REGISTRY_TOKEN_SCOPE");
		}
		expect((await server.request("/healthz")).status).toBe(200);
		expect((await server.request("/openapi.json")).status).toBe(200);
	});

	test("a reader sees the names of its pattern, all metadata, and the documents of the registry", async () => {
		expect(await server.index("acme-tso", acme)).toMatchObject({ name: "acme-tso" });
		const names = (await server.request(paths.names(), { token: acme })).json;
		expect(names).toEqual({ schema: "kfn.names/1", names: ["acme-gro", "acme-tso"], next: null });
		expect((await server.request(bundles[0]!.path, { token: acme })).status).toBe(200);
		for (const { path } of documentsIn(server.trust!.documents)) {
			const located = (await server.locate(path, acme)) ?? "";
			expect((await server.request(located, { token: acme })).status).toBe(200);
			expect((await server.request(located)).code).toBe("REGISTRY_TOKEN_MISSING");
		}
	});

	test("and of the others' bytes nothing, whether they exist or not", async () => {
		const outcome = async (path: string) => {
			const { status, code } = await server.request(path, { token: acme });
			return [status, code];
		};
		const denied = [403, "REGISTRY_TOKEN_SCOPE"];
		expect(await outcome((await server.locate("zeta/index.json", acme)) ?? "")).toEqual(denied);
		expect(await outcome(paths.target("nobody/index.json", "0".repeat(64)))).toEqual(denied);
		expect(await outcome(bundles[3]!.path)).toEqual(denied);
		// Not through another's folder either.
		const borrowed = paths.target("acme-gro/acme-gro-1.0.0.kfn", bundles[3]!.sha256);
		expect(await outcome(borrowed)).toEqual([404, "REGISTRY_NOT_FOUND"]);
		const page = (await server.request(paths.names({ after: "acme-gro", limit: 1 }), { token: acme })).json;
		expect(page).toEqual({ schema: "kfn.names/1", names: ["acme-tso"], next: null });
	});

	test("a conditional GET proves nothing to whoever may not read", async () => {
		const headers = { "if-none-match": "*" };
		const index = (await server.locate("zeta/index.json", acme)) ?? "";
		for (const path of [index, bundles[3]!.path, paths.target("nobody/index.json", "0".repeat(64))]) {
			expect((await server.request(path, { token: acme, headers })).status).toBe(403);
		}
	});

	test("shared caches may keep nothing", async () => {
		const index = (await server.locate("acme-tso/index.json", acme)) ?? "";
		for (const path of [paths.metadata("timestamp"), index, paths.names(), bundles[0]!.path]) {
			const { headers } = await server.request(path, { token: acme });
			expect(headers.get("cache-control")).toMatch(/^private, /);
			expect(headers.get("vary")).toBe("authorization");
		}
	});
});
