// Revocations over real HTTP: who may publish one and take it back, the recall list that follows at once, and what an answer
// costs on the wire when nothing has changed.
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { demandCurrentList, openRecallList } from "#signing/recall-list.ts";
import { newRevocation, type Revocation, withdrawalOf } from "#signing/revocation.ts";
import { paths, STATEMENT_MEDIA_TYPE } from "../api/wire.ts";
import { testBundle } from "../testing/bundles.ts";
import { type Answer, TestServer } from "../testing/server.ts";
import { testPublisher } from "../testing/trust.ts";

const START = "2026-11-28T12:00:00.000Z";
let server: TestServer;
let token: string;
let ann: SecretKey;
let bob: SecretKey;
let published: { tag: string; version: string; manifestSha256: string };
let now = new Date(START);
let ids = 0;
beforeAll(async () => {
	ann = await testPublisher();
	bob = await generateKeyPair("second");
	const keys = [ann.publicKey, bob.publicKey];
	const map = serializePublishers({ publishers: [{ names: ["pair", "sample"], threshold: 2, keys }] });
	server = await TestServer.start({ now: () => now, trust: { map } });
	token = await server.token({ expiresAt: "2999-01-01T00:00:00.000Z" });
	for (const name of ["pair", "sample"])
		await server.publish(await testBundle({ name, signers: [ann, bob] }), token);
	published = (await server.index("pair"))!.versions[0]!;
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
	now = new Date(START);
});

function revocation(change: Partial<Revocation> = {}): Revocation {
	ids += 1;
	return {
		id: String(ids).padStart(32, "0"),
		...{ name: "pair", state: "revoked", tags: [published.tag], builds: [], advisory: null },
		...{ reason: "it is bad", issued: "2026-11-28T12:00:00Z" },
		...change,
	};
}

async function send(envelope: DsseEnvelope, id: string, ...signers: SecretKey[]): Promise<Answer> {
	let signed = envelope;
	for (const signer of signers) signed = await signDsseEnvelope(signed, signer);
	return server.request(paths.statement("revocation", "pair", id), {
		...{ method: "PUT", token, headers: { "content-type": STATEMENT_MEDIA_TYPE } },
		body: Buffer.from(serializeDsseEnvelope(signed)),
	});
}

async function list() {
	const { body } = await server.request("/v1/recall.json");
	return openRecallList(body, server.trust!.online.recall!.publicKey);
}

describe("publishing", () => {
	test("one key revokes, and the list names the document in the same moment; two take it back", async () => {
		const before = await list();
		const bad = revocation();
		expect((await send(newRevocation(bad), bad.id, ann)).status).toBe(201);
		const after = await list();
		expect(after.sequence).toBe(before.sequence + 1);
		const [named] = after.names;
		expect(after.names.map(({ name }) => name)).toEqual(["pair"]);
		const { body, status } = await server.request(paths.target("pair/revocation.json", named!.sha256));
		expect([status, body.byteLength]).toEqual([200, named!.size]);
		expect(createHash("sha256").update(body).digest("hex")).toBe(named!.sha256);
		// The same document hangs on the slow path, too.
		expect(await server.statements("revocation", "pair")).toHaveLength(1);
		const back = withdrawalOf(bad, { reason: "it was not", issued: "2026-11-28T13:00:00Z" });
		const alone = await send(back, bad.id, ann);
		expect([alone.status, alone.code]).toEqual([403, "REGISTRY_UNAUTHORISED"]);
		expect((await send(back, bad.id, ann, bob)).status).toBe(201);
		expect((await list()).sequence).toBe(after.sequence + 1);
		// A withdrawal is the last word: the revocation does not come back under its id.
		expect((await send(newRevocation(bad), bad.id, ann)).code).toBe("REGISTRY_STATEMENT_EXISTS");
	});

	test("what is not published here is refused: a mistyped tag would revoke nothing", async () => {
		const tag = revocation({ tags: [`kfn1:${"0".repeat(64)}`] });
		expect((await send(newRevocation(tag), tag.id, ann)).code).toBe("REGISTRY_NOT_FOUND");
		const builds = [{ version: published.version, manifestSha256: "0".repeat(64) }];
		const build = revocation({ tags: [], builds });
		expect((await send(newRevocation(build), build.id, ann)).code).toBe("REGISTRY_NOT_FOUND");
		const right = revocation({
			tags: [],
			builds: [{ ...builds[0]!, manifestSha256: published.manifestSha256 }],
		});
		expect((await send(newRevocation(right), right.id, ann)).status).toBe(201);
	});

	test("a stranger's, and one under another name", async () => {
		const eve = await generateKeyPair();
		const bad = revocation();
		expect((await send(newRevocation(bad), bad.id, eve)).code).toBe("REGISTRY_UNAUTHORISED");
		const other = revocation({ name: "sample" });
		expect((await send(newRevocation(other), other.id, ann)).code).toBe("REGISTRY_STATEMENT_REFUSED");
	});
});

describe("reading", () => {
	test("it expires in a day, says so by its own clock, and is one key's alone", async () => {
		const found = await list();
		expect(Date.parse(found.expires) - Date.parse(found.issued)).toBe(86_400_000);
		demandCurrentList(found, undefined, now);
		const { body } = await server.request("/v1/recall.json");
		await expect(openRecallList(body, ann.publicKey)).rejects.toMatchObject({
			code: "SIGNATURE_UNKNOWN_KEY",
		});
	});

	test("nothing has changed: one request of less than 1 kB, both ways, as bytes on the wire", async () => {
		const { headers } = await server.request("/v1/recall.json");
		const { host, hostname, port } = new URL(server.url);
		const socket = connect(Number(port), hostname);
		// What undici sends for the command line, and no shorter.
		const request = [
			"GET /v1/recall.json HTTP/1.1",
			`host: ${host}`,
			"connection: close",
			"accept: application/json, application/vnd.kfn.bundle",
			"user-agent: kfn/0.1.0",
			`if-none-match: ${headers.get("etag")}`,
		].join("\r\n");
		socket.write(`${request}\r\n\r\n`);
		const answer = await text(socket);
		expect(answer).toMatch(/^HTTP\/1\.1 304 /);
		expect(answer.split("\r\n\r\n")[1]).toBe("");
		expect(socket.bytesRead + socket.bytesWritten).toBeLessThan(1000);
	});
});
