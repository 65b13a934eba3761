// Attacks on the server, each named: over real sockets on 127.0.0.1, bounded in size and time.
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUNDLE_MEDIA_TYPE, MAX_ARCHIVE_BYTES, paths } from "./api/wire.ts";
import { testBundle } from "./testing/bundles.ts";
import { RawConnection, rawExchange } from "./testing/raw-http.ts";
import { TestServer } from "./testing/server.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
	server = await TestServer.start();
	token = await server.token();
});
afterAll(() => server[Symbol.asyncDispose]());

const head = (...lines: string[]) => [...lines, "", ""].join("\r\n");
const uploadHead = (path: string, ...more: string[]) =>
	head(
		`PUT ${path} HTTP/1.1`,
		"host: x",
		`authorization: Bearer ${token}`,
		`content-type: ${BUNDLE_MEDIA_TYPE}`,
		...more,
	);

describe("path traversal", () => {
	const escapes = [
		"..",
		"../..",
		"..%2f..%2fregistry.sqlite",
		"%2e%2e%2f%2e%2e",
		"..%5c..",
		"%00",
		"a%00b",
		"a%2fb",
		"a//b",
		".hidden",
		"a.b",
		"%252e%252e",
		"%zz",
	];

	test.each(escapes)("in a name, on every path: %j", async (name) => {
		const before = readdirSync(server.dataDir, { recursive: true }).sort();
		const targets = [
			`GET /v1/metadata/${name}.json`,
			`GET /v1/targets/${name}/${name}`,
			`POST /v1/bundles/${name}/1.0.0/yank`,
			`PUT /v1/bundles/${name}/1.0.0`,
			`PUT /v1/bundles/sample/${name}`,
		];
		for (const target of targets) {
			const lines = [`${target} HTTP/1.1`, "host: x", `authorization: Bearer ${token}`, "connection: close"];
			const answer = await rawExchange(server.url, head(...lines));
			expect([target, [400, 404, 415].includes(answer.status)]).toEqual([target, true]);
			expect(answer.body).toMatchObject({ error: { code: expect.stringMatching(/^REGISTRY_/) } });
		}
		expect(readdirSync(server.dataDir, { recursive: true }).sort()).toEqual(before);
	});
});

describe("oversized body", () => {
	test("declared: refused before any of it is sent", async () => {
		const connection = await RawConnection.open(server.url);
		const size = `content-length: ${MAX_ARCHIVE_BYTES + 1}`;
		connection.send(uploadHead("/v1/bundles/big/1.0.0", size, "connection: close"));
		const [first] = (await once(connection.socket, "data")) as [Buffer];
		expect(first.toString()).toMatch(/^HTTP\/1\.1 413 .*REGISTRY_TOO_LARGE/s);
		connection.socket.destroy();
	});

	test("chunked and endless: refused at the limit, the client can still read why, nothing stays on disk", async () => {
		let sent = 0;
		const chunk = new Uint8Array(256 * 1024);
		const body = new ReadableStream({
			pull(controller) {
				sent += chunk.byteLength;
				controller.enqueue(chunk);
				if (sent > 4 * MAX_ARCHIVE_BYTES) controller.close();
			},
		});
		const headers = { authorization: `Bearer ${token}`, "content-type": BUNDLE_MEDIA_TYPE };
		const request = { method: "PUT", headers, body, duplex: "half" } as RequestInit;
		const answer = await fetch(`${server.url}/v1/bundles/big/1.0.0`, request);
		expect([answer.status, await answer.json()]).toMatchObject([
			413,
			{ error: { code: "REGISTRY_TOO_LARGE" } },
		]);
		expect(server.incomingOnDisk()).toEqual([]);
		expect(server.blobsOnDisk()).toEqual([]);
	});

	test("chunked and refused: the connection takes the next request", async () => {
		const connection = await RawConnection.open(server.url);
		connection.send(uploadHead("/v1/bundles/big/1.0.0", "transfer-encoding: chunked"));
		const piece = Buffer.alloc(1024 * 1024);
		for (let sent = 0; sent < MAX_ARCHIVE_BYTES + 3 * piece.length; sent += piece.length) {
			connection.socket.write(`${piece.length.toString(16)}\r\n`);
			connection.socket.write(piece);
			connection.socket.write("\r\n");
		}
		connection.send("0", "", "", "GET /healthz HTTP/1.1", "host: x", "connection: close", "", "");
		expect(await connection.closed).toMatch(
			/^HTTP\/1\.1 413 .*REGISTRY_TOO_LARGE.*HTTP\/1\.1 200 .*kfn\.health/s,
		);
	});

	test("exactly the limit is read and judged, one byte more is not", async () => {
		const put = (size: number) =>
			server.request(paths.bundle("big", "1.0.0"), {
				method: "PUT",
				token,
				headers: { "content-type": BUNDLE_MEDIA_TYPE },
				body: new Uint8Array(size),
			});
		expect((await put(MAX_ARCHIVE_BYTES)).code).toBe("REGISTRY_BUNDLE_REFUSED");
		expect((await put(MAX_ARCHIVE_BYTES + 1)).code).toBe("REGISTRY_TOO_LARGE");
		expect(server.incomingOnDisk()).toEqual([]);
	});

	test("16 MiB without a token: not stored, and the client can read why", async () => {
		const headers = { "content-type": BUNDLE_MEDIA_TYPE };
		const body = new Uint8Array(MAX_ARCHIVE_BYTES);
		const answer = await server.request(paths.bundle("big", "1.0.0"), { method: "PUT", headers, body });
		expect(answer.code).toBe("REGISTRY_TOKEN_MISSING");
	});
});

describe("slowloris", () => {
	const limits = { headers: 300, request: 600, idle: 300, checkEvery: 50 };

	test("headers that never end: 408 and closed", async () => {
		await using slow = await TestServer.start({ timeLimits: { ...limits, idle: 5_000 } });
		const connection = await RawConnection.open(slow.url);
		connection.send("GET /v1/metadata/timestamp.json HTTP/1.1", "host: x", "x-slow: ");
		expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 .*REGISTRY_REQUEST_TIMEOUT/s);
	});

	test("a body that stops in the middle: closed, and nothing stays on disk", async () => {
		await using slow = await TestServer.start({ timeLimits: { ...limits, request: 3_600_000 } });
		token = await slow.token();
		const connection = await RawConnection.open(slow.url);
		connection.send(uploadHead("/v1/bundles/sample/1.0.0", "content-length: 1000"), "only this");
		await slow.uploadsUnderWay(1);
		await connection.closed;
		await slow.uploadsUnderWay(0);
		token = await server.token();
	});

	test("a body that drips for ever: closed at the request's limit", async () => {
		await using slow = await TestServer.start({ timeLimits: { ...limits, idle: 5_000 } });
		token = await slow.token();
		const connection = await RawConnection.open(slow.url);
		connection.send(uploadHead("/v1/bundles/sample/1.0.0", "content-length: 100000"));
		const drip = setInterval(() => connection.socket.writable && connection.socket.write("x"), 20);
		expect(await connection.closed).toMatch(/^(HTTP\/1\.1 408 .*REGISTRY_REQUEST_TIMEOUT.*)?$/s);
		clearInterval(drip);
		await slow.uploadsUnderWay(0);
		token = await server.token();
	});
});

test("an upload broken off by the client leaves nothing behind, and the next one succeeds", async () => {
	const bundle = await testBundle({ name: "broken-off" });
	const connection = await RawConnection.open(server.url);
	connection.send(uploadHead("/v1/bundles/broken-off/1.0.0", `content-length: ${bundle.archive.byteLength}`));
	connection.socket.write(bundle.archive.subarray(0, 1000));
	await server.uploadsUnderWay(1);
	connection.socket.destroy();
	await server.uploadsUnderWay(0);
	expect(await server.index("broken-off")).toBeUndefined();
	expect((await server.publish(bundle, token)).status).toBe(201);
});

describe("not HTTP", () => {
	test.each([
		["garbage", "\u0016\u0003\u0001 hello\r\n\r\n", 400, "REGISTRY_REQUEST_INVALID"],
		[
			"request smuggling: two lengths",
			head("PUT / HTTP/1.1", "host: x", "content-length: 1", "content-length: 2"),
			400,
			"REGISTRY_REQUEST_INVALID",
		],
		[
			"request smuggling: length and chunks",
			head("PUT / HTTP/1.1", "host: x", "content-length: 5", "transfer-encoding: chunked"),
			400,
			"REGISTRY_REQUEST_INVALID",
		],
		["headers without end", `GET / HTTP/1.1\r\nx: ${"a".repeat(20_000)}`, 431, "REGISTRY_HEADERS_TOO_LARGE"],
	])("%s", async (_, text, status, code) => {
		expect(await rawExchange(server.url, text)).toMatchObject({ status, body: { error: { code } } });
	});
});

test("duplicate publish race: of many uploads of different bytes at once, exactly one wins and only its bytes are stored", async () => {
	const bundles = await Promise.all(
		Array.from({ length: 12 }, (_, n) => testBundle({ name: "raced", readme: `version ${n}` })),
	);
	const before = server.blobsOnDisk();
	const answers = await Promise.all(bundles.map((bundle) => server.publish(bundle, token)));
	const won = answers.map((answer) => answer.status === 201);
	expect(won.filter(Boolean)).toHaveLength(1);
	expect(answers.filter((answer) => answer.code === "REGISTRY_VERSION_EXISTS")).toHaveLength(11);
	const winner = bundles[won.indexOf(true)];
	expect(await server.index("raced")).toMatchObject({ versions: [{ sha256: winner?.sha256 }] });
	expect(server.blobsOnDisk()).toEqual([...before, winner?.sha256 ?? ""].sort());
	expect(server.incomingOnDisk()).toEqual([]);
});

test("duplicate publish race of the same bytes: one 201, the others 200", async () => {
	const bundle = await testBundle({ name: "same-race" });
	const answers = await Promise.all(Array.from({ length: 12 }, () => server.publish(bundle, token)));
	expect(answers.map((answer) => answer.status).sort()).toEqual([...Array(11).fill(200), 201]);
});

const CONTROLS = ["%1b%5b2J", "%c2%9b2J", "a%e2%80%aeb", "a%0d%0aset-cookie:x"];
test.each(
	CONTROLS.flatMap((name) => [
		[`/v1/metadata/${name}.json`, 404],
		[`/v1/targets/${name}/${"0".repeat(64)}.index.json`, 400],
	]),
)("log injection: control characters of a name stand in no answer: %s", async (path, status) => {
	const lines = [`GET ${path} HTTP/1.1`, "host: x", "connection: close"];
	const answer = await rawExchange(server.url, head(...lines));
	expect(answer.status).toBe(status);
	const text = Object.values((answer.body as { error: Record<string, string> }).error).join("");
	expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
