// The log over HTTP against a real server: all that happens is in it, in step with what is published; what witnesses send counts.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { openCheckpoint } from "#signing/log/checkpoint.ts";
import { cosign } from "#signing/log/cosignature.ts";
import { type LogEntry, parseLogEntry } from "#signing/log/entry.ts";
import { parseNote, serializeNote, verifierKey } from "#signing/log/note.ts";
import { type TileReader, tilePath } from "#signing/log/tile.ts";
import { LogTree } from "#signing/log/tree.ts";
import { logTrustOf, parseRegistryDocument, serializeRegistryDocument } from "#signing/registry-document.ts";
import { REGISTRY_TARGET } from "#signing/tuf/next-targets.ts";
import { testBundle } from "../testing/bundles.ts";
import { TestServer } from "../testing/server.ts";
import { generateOnlineKeys } from "../trust/online-keys.ts";

const get = async (server: TestServer, path: string, token?: string) => {
	const { status, body } = await server.request(`/v1/log/${path}`, token === undefined ? {} : { token });
	if (status !== 200) throw new Error(`${path}: ${status}`);
	return body;
};

function tilesOf(server: TestServer): TileReader {
	return {
		tile: (level, index, width) => get(server, tilePath({ level, index, width })),
		entries: (index, width) => get(server, tilePath({ level: "entries", index, width })),
	};
}

/** The log as a host opens it: signed checkpoint first, then tiles that are tied to it. */
async function openLog(server: TestServer): Promise<LogTree> {
	const document = server.trust!.documents[REGISTRY_TARGET];
	const trust = logTrustOf(parseRegistryDocument(document))!;
	return new LogTree(tilesOf(server), await openCheckpoint(await get(server, "checkpoint"), trust));
}

async function entries(server: TestServer): Promise<LogEntry[]> {
	return (await (await openLog(server)).entryBundle(0)).map(parseLogEntry);
}

describe("what is in the log", () => {
	let server: TestServer;
	beforeEach(async () => {
		server = await TestServer.start();
	});
	afterEach(() => server[Symbol.asyncDispose]());

	test("the first keys, every publish, yank and unyank, in this order; repeats are no events", async () => {
		const token = await server.token();
		const bundle = await testBundle();
		const before = await openLog(server);
		await server.publish(bundle, token);
		await server.publish(bundle, token);
		await server.yank(bundle, token, "broken");
		await server.yank(bundle, token, "very broken");
		const path = `/v1/bundles/${bundle.name}/${bundle.version}/yank`;
		for (const _ of [1, 2]) await server.request(path, { method: "DELETE", token });
		const after = await openLog(server);
		await after.demandExtends(before.head);
		const { name, version, sha256, tag } = bundle;
		expect(await entries(server)).toMatchObject([
			{ type: "root", version: 1 },
			{ type: "targets", version: 1 },
			{ type: "publishers" },
			{ type: "publish", name, version, sha256, tag },
			{ type: "yank", name, version, sha256 },
			{ type: "unyank", name, version, sha256 },
		]);
	});

	test("the index says where a version was logged, and the entry can be made of the index alone", async () => {
		const token = await server.token();
		for (const version of ["1.0.0", "1.1.0"]) await server.publish(await testBundle({ version }), token);
		const { versions } = (await server.index("sample")) ?? expect.unreachable("no index");
		expect(versions.map(({ log }) => log?.index)).toEqual([4, 3]);
		const logged = await entries(server);
		for (const { log, version, sha256, manifestSha256, tag, publishedAt } of versions) {
			const entry = {
				type: "publish",
				at: publishedAt,
				name: "sample",
				version,
				sha256,
				manifestSha256,
				tag,
			};
			expect(logged[log?.index ?? -1]).toEqual(entry);
		}
	});

	test("a publish that is refused is not logged", async () => {
		const token = await server.token();
		await server.publish(await testBundle(), token);
		const { head } = await openLog(server);
		expect((await server.publish(await testBundle({ readme: "other" }), token)).status).toBe(409);
		expect((await server.publish(await testBundle({ version: "2.0.0", signers: [] }), token)).status).toBe(
			400,
		);
		expect((await openLog(server)).head).toMatchObject({ size: head.size });
	});
});

describe("the routes", () => {
	let server: TestServer;
	beforeAll(async () => {
		server = await TestServer.start();
	});
	afterAll(() => server[Symbol.asyncDispose]());

	test("checkpoints are asked for each time, tiles are kept for ever", async () => {
		const checkpoint = await server.request("/v1/log/checkpoint");
		expect(checkpoint.headers.get("cache-control")).toBe("no-cache");
		expect(checkpoint.headers.get("content-type")).toBe("text/plain; charset=utf-8");
		const headers = { "if-none-match": checkpoint.headers.get("etag")! };
		expect((await server.request("/v1/log/checkpoint", { headers })).status).toBe(304);
		const tile = await server.request("/v1/log/tile/0/000.p/3");
		expect(tile.headers.get("cache-control")).toBe("max-age=31536000, immutable");
		expect(tile.body.byteLength).toBe(96);
		expect((await server.request("/v1/log/tile/0/000.p/2")).body).toEqual(tile.body.slice(0, 64));
	});

	test.each(["0/000", "0/000.p/4", "0/001.p/1", "1/000.p/1", "entries/000.p/4", "63/x999/999"])(
		"%s is not there yet",
		async (path) => expect((await server.request(`/v1/log/tile/${path}`)).status).toBe(404),
	);

	test.each(["0", "0/0", "0/000.p/0", "0/000.p/256", "64/000", "0/x000/000", "entries/..%2f", "0/%00"])(
		"%s is no tile's path",
		async (path) => {
			const { code } = await server.request(`/v1/log/tile/${path}`);
			expect(code).toBe("REGISTRY_REQUEST_INVALID");
		},
	);

	test("a private registry's log needs a token that may read", async () => {
		await using hidden = await TestServer.start({ private: true });
		for (const path of ["checkpoint", "latest", "tile/0/000.p/3"]) {
			expect((await hidden.request(`/v1/log/${path}`)).code).toBe("REGISTRY_TOKEN_MISSING");
			const token = await hidden.token({ names: "acme-*", verbs: ["read"] });
			expect((await get(hidden, path, token)).byteLength).toBeGreaterThan(0);
			const writer = await hidden.token({ verbs: ["publish"] });
			expect((await hidden.request(`/v1/log/${path}`, { token: writer })).code).toBe("REGISTRY_TOKEN_SCOPE");
		}
	});
});

describe("a registry that asks for a witness", () => {
	const name = "witness.example/w";
	let witness: SecretKey;
	let server: TestServer;
	beforeAll(async () => {
		witness = await generateKeyPair();
		const origin = "test.example/log";
		const online = await generateOnlineKeys();
		const document = {
			origin,
			log: { key: verifierKey(origin, "ed25519", online.log.publicKey) },
			witnesses: [verifierKey(name, "cosignature", witness.publicKey)],
			quorum: 1,
		};
		server = await TestServer.start({ trust: { registry: serializeRegistryDocument(document), online } });
	});
	afterAll(() => server[Symbol.asyncDispose]());

	const send = (body: Uint8Array) =>
		server.request("/v1/log/cosignatures", {
			method: "POST",
			headers: { "content-type": "text/plain" },
			body: new Uint8Array(body),
		});
	const cosigned = async (checkpoint: Uint8Array, secret = witness) => {
		const { text } = parseNote(checkpoint);
		const own = await cosign(text, { name, secret }, 1_800_000_000);
		return serializeNote({ text, signatures: [own] });
	};

	test("serves hosts the witnessed checkpoint, and witnesses the newest", async () => {
		await expect(openLog(server)).rejects.toMatchObject({ code: "LOG_QUORUM" });
		const answer = await send(await cosigned(await get(server, "latest")));
		expect(answer.json).toEqual({ schema: "kfn.cosigned/1", size: 3, cosigners: [name], quorum: 1 });
		expect((await openLog(server)).head.size).toBe(3);
		await server.publish(await testBundle(), await server.token());
		expect((await openLog(server)).head.size).toBe(3);
		await send(await cosigned(await get(server, "latest")));
		expect((await openLog(server)).head.size).toBe(4);
	});

	test("takes nothing from anybody else", async () => {
		const latest = await get(server, "latest");
		const forged = await cosigned(latest, await generateKeyPair());
		// Judged before the store is asked to write: else anybody could keep publishers waiting.
		const writer = new DatabaseSync(join(server.dataDir, "registry.sqlite"));
		writer.exec("begin immediate");
		const stranger = await send(forged);
		writer.close();
		expect([stranger.status, stranger.code]).toEqual([400, "REGISTRY_COSIGNATURE_REFUSED"]);
		expect((await send(Buffer.from("no checkpoint"))).code).toBe("REGISTRY_COSIGNATURE_REFUSED");
		const other = Buffer.from(latest)
			.toString()
			.replace(/\n\d+\n/, "\n99\n");
		expect((await send(await cosigned(Buffer.from(other)))).code).toBe("REGISTRY_CHECKPOINT_UNKNOWN");
		expect((await send(Buffer.alloc(20_000, "x"))).code).toBe("REGISTRY_TOO_LARGE");
		const json = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
		expect((await server.request("/v1/log/cosignatures", json)).code).toBe("REGISTRY_MEDIA_TYPE");
	});
});
