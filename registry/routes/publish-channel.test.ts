// Channel pointers over real HTTP: which one is listed, and which are refused.
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ChannelPointer, newChannel } from "#signing/channel.ts";
import {
	type EnvelopeValue,
	envelopeValue,
	serializeDsseEnvelope,
	signDsseEnvelope,
} from "#signing/envelope.ts";
import { paths, STATEMENT_MEDIA_TYPE } from "../api/wire.ts";
import { testBundle } from "../testing/bundles.ts";
import { type Answer, TestServer } from "../testing/server.ts";
import { testPublisher } from "../testing/trust.ts";

let server: TestServer;
let token: string;
const manifests = new Map<string, string>();
beforeAll(async () => {
	server = await TestServer.start();
	token = await server.token();
	for (const version of ["1.0.0", "1.0.1", "1.0.2"])
		await server.publish(await testBundle({ version }), token);
	const index = await server.index("sample");
	for (const { version, manifestSha256 } of index!.versions) manifests.set(version, manifestSha256);
	const yank = { method: "POST", token, body: '{"reason":"a test"}' };
	const headers = { "content-type": "application/json" };
	expect((await server.request(paths.yank("sample", "1.0.2"), { ...yank, headers })).status).toBeLessThan(
		300,
	);
});
afterAll(() => server[Symbol.asyncDispose]());

async function put(
	changes: Partial<ChannelPointer>,
	id = "stable",
): Promise<{ answer: Answer; value: EnvelopeValue }> {
	const version = changes.version ?? "1.0.0";
	const pointer: ChannelPointer = {
		name: "sample",
		channel: "stable",
		version,
		manifestSha256: manifests.get(version) ?? "ab".repeat(32),
		serial: 1,
		issued: "2026-11-28T12:00:00Z",
		...changes,
	};
	const envelope = await signDsseEnvelope(newChannel(pointer), await testPublisher());
	const answer = await server.request(paths.statement("channel", "sample", id), {
		method: "PUT",
		token,
		headers: { "content-type": STATEMENT_MEDIA_TYPE },
		body: new Uint8Array(serializeDsseEnvelope(envelope)),
	});
	return { answer, value: envelopeValue(envelope) };
}

const listed = () => server.statements("channel", "sample");

test("a later pointer takes the place of the one before, up or down; each channel has one", async () => {
	const first = await put({ version: "1.0.1" });
	expect(first.answer).toMatchObject({ status: 201, json: { id: "stable", serial: 1, expires: null } });
	expect((await put({ version: "1.0.1" })).answer.status).toBe(200);
	const back = await put({ version: "1.0.0", serial: 2 });
	expect(back.answer.status).toBe(201);
	const candidate = await put({ channel: "candidate", version: "1.0.1" }, "candidate");
	expect(candidate.answer.status).toBe(201);
	expect(await listed()).toEqual([candidate.value, back.value]);
});

test.each<[string, Partial<ChannelPointer>, string, string]>([
	["a replayed one", { version: "1.0.1", serial: 1 }, "stable", "REGISTRY_STATEMENT_EXISTS"],
	[
		"another one with the same serial",
		{ version: "1.0.1", serial: 2 },
		"stable",
		"REGISTRY_STATEMENT_EXISTS",
	],
	["one to a yanked version", { version: "1.0.2", serial: 9 }, "stable", "REGISTRY_NOT_FOUND"],
	["one to an unpublished version", { version: "2.0.0", serial: 9 }, "stable", "REGISTRY_NOT_FOUND"],
	[
		"one to other bytes",
		{ manifestSha256: "ab".repeat(32), serial: 9 },
		"stable",
		"REGISTRY_STATEMENT_REFUSED",
	],
	["one that uses serials up", { serial: 2 ** 31 - 1 }, "stable", "REGISTRY_STATEMENT_REFUSED"],
	["one of another name", { name: "other", serial: 9 }, "stable", "REGISTRY_STATEMENT_REFUSED"],
	["one under another channel's id", { serial: 9 }, "candidate", "REGISTRY_STATEMENT_REFUSED"],
])("%s is refused", async (_what, changes, id, code) => {
	const before = await listed();
	const { answer } = await put(changes, id);
	expect(answer.code).toBe(code);
	expect(answer.status).toBeGreaterThanOrEqual(400);
	expect(await listed()).toEqual(before);
});
