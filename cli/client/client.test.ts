// The registry client against real servers on loopback that misbehave in one way each.

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test } from "vitest";
import type { IndexDocument } from "#registry/api/wire.ts";
import { exchange, type HttpOptions, registryBase } from "./http.ts";
import { parseIndexDocument } from "./index-document.ts";
import type { Pace } from "./paced-body.ts";
import { RegistryClient } from "./registry.ts";
import { folderReader, httpReader } from "./registry-fetch.ts";
import { parseRequest, selectVersion } from "./select.ts";

const servers: { close(): unknown }[] = [];
afterEach(() => {
	for (const server of servers.splice(0)) server.close();
});

async function serve(listener: RequestListener): Promise<string> {
	const server: Server = createServer(listener);
	servers.push({ close: () => server.close().closeAllConnections() });
	await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const optionsOf = (base: string): HttpOptions => ({
	base,
	token: undefined,
	signal: new AbortController().signal,
	userAgent: "kfn/test",
});

const LIMIT = 1000;

/** What a server that answers like this gives for a file. */
async function get(
	listener: RequestListener,
	path = "metadata/1.root.json",
	pace?: Pace,
): Promise<Uint8Array | "missing"> {
	return httpReader(optionsOf(await serve(listener)), pace).fetch(path, LIMIT);
}

const version = (text: string, yanked: IndexDocument["versions"][number]["yanked"] = null) => ({
	version: text,
	sha256: createHash("sha256").update(text).digest("hex"),
	size: 5,
	manifestSha256: "b".repeat(64),
	tag: `kfn1:${"c".repeat(64)}`,
	function: { name: "flow-dissector", abi: 1 },
	requires: [{ kernel: ">=5.10", features: [] }],
	publishedAt: "2026-01-01T00:00:00.000Z",
	yanked,
	log: null,
});

const index = (...versions: ReturnType<typeof version>[]): IndexDocument => ({
	schema: "kfn.index/1",
	name: "flow-dissector",
	versions,
});

const SLOW: Pace = { totalMs: 60_000, graceMs: 100, bytesPerSecond: 1_000_000 };

test("a file's bytes come back whole; one that is not there is missing, also where a bucket says 403 of it", async () => {
	const bytes = Buffer.from("right");
	expect(Buffer.from((await get((_request, response) => response.end(bytes))) as Uint8Array)).toEqual(bytes);
	for (const status of [404, 403]) {
		expect(await get((_request, response) => response.writeHead(status).end("<Error>"))).toBe("missing");
	}
});

test("an address without a timestamp is no registry's", async () => {
	const answer = get(
		(_request, response) => response.writeHead(404).end("<html>"),
		"metadata/timestamp.json",
	);
	await expect(answer).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
});

test("endless data: a body larger than it may be is cut off, not collected", async () => {
	let sent = 0;
	const answer = get((_request, response) => {
		const chunk = Buffer.alloc(65_536);
		const more = () => {
			while (!response.destroyed && sent < 1 << 30) {
				sent += chunk.length;
				if (!response.write(chunk)) break;
			}
		};
		response.on("drain", more);
		more();
	});
	await expect(answer).rejects.toMatchObject({ code: "TRUST_TOO_LARGE", exit: 3 });
	expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test("slow data: a registry that trickles, and one that never ends, are given up on", async () => {
	const trickle: RequestListener = (_request, response) => {
		const timer = setInterval(() => response.write(" "), 5);
		response.on("close", () => clearInterval(timer));
	};
	await expect(get(trickle, "metadata/1.root.json", SLOW)).rejects.toMatchObject({
		code: "CLI_REGISTRY_SLOW",
		exit: 1,
	});
	const patient = { totalMs: 100, graceMs: 1000, bytesPerSecond: 1 };
	await expect(get(trickle, "metadata/1.root.json", patient)).rejects.toMatchObject({
		code: "CLI_REGISTRY_SLOW",
	});
	const silent: RequestListener = (_request, response) => void response.writeHead(200).flushHeaders();
	await expect(get(silent, "metadata/1.root.json", SLOW)).rejects.toMatchObject({
		code: "CLI_REGISTRY_SLOW",
	});
});

test("a server may say in more bytes than a file has that there is no such file", async () => {
	const base = await serve((_request, response) => response.writeHead(404).end("no such file"));
	expect((await exchange(optionsOf(base), "GET", "/small", { limit: 4 })).status).toBe(404);
	expect(await httpReader(optionsOf(base)).fetch("metadata/2.root.json", 4)).toBe("missing");
});

test("registry down in the middle of a download", async () => {
	const answer = get((_request, response) => {
		response.writeHead(200, { "content-length": "1000" });
		response.write(Buffer.alloc(400), () => response.destroy());
	});
	await expect(answer).rejects.toMatchObject({
		code: "CLI_DOWNLOAD_INTERRUPTED",
		details: { received: 400 },
	});
});

test("a registry that is not there is unreachable, and the answer says so", async () => {
	const probe = createTcpServer();
	await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
	const { port } = probe.address() as AddressInfo;
	await new Promise((done) => probe.close(done));
	const { fetch } = httpReader(optionsOf(`http://127.0.0.1:${port}`));
	await expect(fetch("metadata/timestamp.json", LIMIT)).rejects.toMatchObject({
		code: "CLI_REGISTRY_UNREACHABLE",
	});
});

test("something that is no registry is told apart from a registry that refuses", async () => {
	const saying = (status: number, code: string) =>
		get((_request, response) =>
			response.writeHead(status).end(JSON.stringify({ error: { code, message: "no" } })),
		);
	await expect(saying(403, "REGISTRY_TOKEN_SCOPE")).rejects.toMatchObject({ code: "REGISTRY_TOKEN_SCOPE" });
	await expect(saying(503, "REGISTRY_NOT_INITIALISED")).rejects.toMatchObject({
		code: "REGISTRY_NOT_INITIALISED",
	});
	await expect(saying(500, "SIGNATURE_OK")).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
	await expect(get((_request, response) => response.writeHead(502).end("<html>"))).rejects.toMatchObject({
		code: "CLI_REGISTRY_ANSWER",
	});
});

test("an index of another name, or with a field of the wrong form, is refused", () => {
	const answers = [
		{ ...index(version("1.0.0")), name: "other" },
		index({ ...version("1.0.0"), sha256: "A".repeat(64) }),
		index({ ...version("1.0.0"), size: -1 }),
		index({ ...version("1.0.0"), size: 1 << 30 }),
		index(version("v1.0.0")),
		index(version("1.0.0"), version("1.0.0")),
		{ ...index(), schema: "kfn.index/2" },
		[],
		null,
	];
	for (const answer of answers) {
		expect(() => parseIndexDocument(answer, "flow-dissector")).toThrow(
			expect.objectContaining({ code: "CLI_REGISTRY_ANSWER" }),
		);
	}
});

test("an index is refused for a version that no host could remember, and for one archive under two versions", () => {
	const refused = (...versions: ReturnType<typeof version>[]) =>
		expect(() => parseIndexDocument(index(...versions), "flow-dissector")).toThrow(
			expect.objectContaining({ code: "CLI_REGISTRY_ANSWER" }),
		);
	refused(version(`1.0.0-${"a".repeat(64)}`));
	refused(version("1.1.0"), { ...version("1.0.0"), sha256: version("1.1.0").sha256 });
});

test("redirects are not followed: a registry cannot send a token elsewhere", async () => {
	let asked = 0;
	const other = await serve((_request, response) => {
		asked++;
		response.end("{}");
	});
	const answer = get((_request, response) => response.writeHead(302, { location: `${other}/v1/x` }).end());
	await expect(answer).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
	expect(asked).toBe(0);
});

test("a mirror's folder is read within itself, as far as asked for", async () => {
	const folder = mkdtempSync(join(tmpdir(), "kfn-mirror-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	mkdirSync(join(folder, "v1/targets/a"), { recursive: true });
	writeFileSync(join(folder, "v1/targets/a/b+c"), "12345");
	writeFileSync(join(folder, "secret"), "");
	const { fetch, base } = folderReader(folder);
	expect(base).toBe(`file://${folder}`);
	expect(Buffer.from((await fetch("targets/a/b%2Bc", 5)) as Uint8Array).toString()).toBe("12345");
	expect(await fetch("targets/a/c", 5)).toBe("missing");
	await expect(fetch("targets/a/b%2Bc", 4)).rejects.toMatchObject({ code: "TRUST_TOO_LARGE" });
	for (const path of ["../secret", "targets/..%2F..%2Fsecret", "targets//x", "targets/a"]) {
		await expect(fetch(path, 5)).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
	}
	await expect(fetch("metadata/timestamp.json", 5)).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
});

test("publishing without a token is refused before anything is sent", async () => {
	let asked = 0;
	const base = await serve((_request, response) => {
		asked++;
		response.end("{}");
	});
	await expect(
		new RegistryClient(optionsOf(base)).publish("a", "1.0.0", new Uint8Array()),
	).rejects.toMatchObject({
		code: "CLI_NO_TOKEN",
	});
	expect(asked).toBe(0);
});

test("a registry address carries no credentials and no other protocol", () => {
	expect(registryBase("http://127.0.0.1:7420/")).toBe("http://127.0.0.1:7420");
	expect(registryBase("https://example.test/kfn/?x=1#y")).toBe("https://example.test/kfn");
	for (const bad of ["ftp://example.test", "not a url", "http://user:secret@example.test"]) {
		expect(() => registryBase(bad)).toThrow(expect.objectContaining({ code: "CLI_USAGE" }));
	}
});

test("a range takes the newest version that was not yanked; an exact one is found although it was", () => {
	const gone = { at: "2026-01-02T00:00:00.000Z", reason: "broken" };
	const document = index(version("1.2.0", gone), version("1.1.0"), version("1.0.0"), version("2.0.0-rc.1"));
	expect(selectVersion(document, "*").version).toBe("1.1.0");
	expect(selectVersion(document, "^1.0").version).toBe("1.1.0");
	expect(selectVersion(document, "~1.0").version).toBe("1.0.0");
	expect(selectVersion(document, "1.2.0").version).toBe("1.2.0");
	expect(selectVersion(document, "2.0.0-rc.1").version).toBe("2.0.0-rc.1");
	expect(() => selectVersion(document, ">=2")).toThrow(expect.objectContaining({ code: "CLI_NO_VERSION" }));
});

test("a request is a name and a range", () => {
	expect(parseRequest("flow-dissector")).toEqual({ name: "flow-dissector", range: undefined });
	expect(parseRequest("flow-dissector@>=1 <2")).toEqual({ name: "flow-dissector", range: ">=1 <2" });
	expect(() => parseRequest("flow-dissector@")).toThrow(expect.objectContaining({ code: "CLI_USAGE" }));
	expect(() => parseRequest("flow-dissector@newest")).toThrow(expect.objectContaining({ code: "CLI_USAGE" }));
});
