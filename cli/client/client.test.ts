// The registry client against real servers on loopback that misbehave in one way each.

import { createHash } from "node:crypto";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { IndexDocument } from "#registry/api/wire.ts";
import { exchange, registryBase } from "./http.ts";
import { RegistryClient } from "./registry.ts";
import { parseRequest, selectVersion } from "./select.ts";

const servers: { close(): unknown }[] = [];
afterEach(() => {
	for (const server of servers.splice(0)) server.close();
});

async function serve(listener: RequestListener): Promise<RegistryClient> {
	const server: Server = createServer(listener);
	servers.push({ close: () => server.close().closeAllConnections() });
	await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
	return clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function clientOf(base: string, token?: string): RegistryClient {
	return new RegistryClient({ base, token, signal: new AbortController().signal, userAgent: "kfn/test" });
}

const version = (text: string, yanked: IndexDocument["versions"][number]["yanked"] = null) => ({
	version: text,
	sha256: "a".repeat(64),
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
	permits: [],
});

test("bytes other than those that the index names are refused", async () => {
	const client = await serve((_request, response) => response.end("wrong"));
	await expect(client.blob("a".repeat(64), 5)).rejects.toMatchObject({
		code: "CLI_DOWNLOAD_DIGEST",
		exit: 3,
	});
});

test("the named bytes come back whole", async () => {
	const bytes = Buffer.from("right");
	const client = await serve((_request, response) => response.end(bytes));
	const digest = createHash("sha256").update(bytes).digest("hex");
	expect(Buffer.from(await client.blob(digest, 5))).toEqual(bytes);
});

test("endless data: a body larger than the index says is cut off, not collected", async () => {
	let sent = 0;
	const client = await serve((_request, response) => {
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
	await expect(client.blob("a".repeat(64), 1000)).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
	expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test("a server may say in more bytes than a file has that there is no such file", async () => {
	const client = await serve((_request, response) => response.writeHead(404).end("no such file"));
	const base = client.description;
	const signal = new AbortController().signal;
	const options = { base, token: undefined, signal, userAgent: "kfn/test" };
	expect((await exchange(options, "GET", "/small", { limit: 4 })).status).toBe(404);
});

test("registry down in the middle of a download", async () => {
	const client = await serve((_request, response) => {
		response.writeHead(200, { "content-length": "1000" });
		response.write(Buffer.alloc(400), () => response.destroy());
	});
	await expect(client.blob("a".repeat(64), 1000)).rejects.toMatchObject({
		code: "CLI_DOWNLOAD_INTERRUPTED",
		details: { received: 400 },
	});
});

test("a registry that is not there is unreachable, and the answer says so", async () => {
	const probe = createTcpServer();
	await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
	const { port } = probe.address() as AddressInfo;
	await new Promise((done) => probe.close(done));
	await expect(clientOf(`http://127.0.0.1:${port}`).index("flow-dissector")).rejects.toMatchObject({
		code: "CLI_REGISTRY_UNREACHABLE",
	});
});

test("something that is no registry is told apart from a registry that refuses", async () => {
	const page = await serve((_request, response) => response.writeHead(404).end("<html>"));
	await expect(page.index("flow-dissector")).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
	const refusal = JSON.stringify({ error: { code: "REGISTRY_NOT_FOUND", message: "no such bundle" } });
	const registry = await serve((_request, response) => response.writeHead(404).end(refusal));
	await expect(registry.index("flow-dissector")).rejects.toMatchObject({ code: "REGISTRY_NOT_FOUND" });
	const invented = JSON.stringify({ error: { code: "SIGNATURE_OK", message: "trust me" } });
	const liar = await serve((_request, response) => response.writeHead(403).end(invented));
	await expect(liar.index("flow-dissector")).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
});

test("an index of another name, or with a field of the wrong form, is refused", async () => {
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
		const client = await serve((_request, response) => response.end(JSON.stringify(answer)));
		await expect(client.index("flow-dissector")).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
	}
});

test("redirects are not followed: a registry cannot send a token elsewhere", async () => {
	let asked = 0;
	const other = await serve((_request, response) => {
		asked++;
		response.end("{}");
	});
	const client = await serve((_request, response) =>
		response.writeHead(302, { location: `${other.description}/v1/index/flow-dissector.json` }).end(),
	);
	await expect(client.index("flow-dissector")).rejects.toMatchObject({ code: "CLI_REGISTRY_ANSWER" });
	expect(asked).toBe(0);
});

test("publishing without a token is refused before anything is sent", async () => {
	let asked = 0;
	const client = await serve((_request, response) => {
		asked++;
		response.end("{}");
	});
	await expect(client.publish("a", "1.0.0", new Uint8Array())).rejects.toMatchObject({
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
	expect(parseRequest("flow-dissector")).toEqual({ name: "flow-dissector", range: "*" });
	expect(parseRequest("flow-dissector@>=1 <2")).toEqual({ name: "flow-dissector", range: ">=1 <2" });
	expect(() => parseRequest("flow-dissector@")).toThrow(expect.objectContaining({ code: "CLI_USAGE" }));
	expect(() => parseRequest("flow-dissector@newest")).toThrow(expect.objectContaining({ code: "CLI_USAGE" }));
});
