// POST and DELETE …/yank over real HTTP: hides, shows again, never deletes.
import { afterAll, beforeAll, expect, test } from "vitest";
import { paths } from "../api/wire.ts";
import { type TestBundle, testBundle } from "../testing/bundles.ts";
import { TestServer } from "../testing/server.ts";

let server: TestServer;
let token: string;
let now = new Date("2026-01-01T00:00:00.000Z");
let bundle: TestBundle;
beforeAll(async () => {
	server = await TestServer.start({ now: () => now });
	token = await server.token({ expiresAt: "2999-01-01T00:00:00.000Z" });
	bundle = await testBundle();
	await server.publish(bundle, token);
});
afterAll(() => server[Symbol.asyncDispose]());

const mark = async () => {
	const { versions } = (await server.index(bundle.name)) ?? expect.unreachable("no index");
	return versions.map((version) => version.yanked);
};
const unyank = () => server.request(paths.yank(bundle.name, bundle.version), { method: "DELETE", token });

test("the index marks a yanked version, and its bytes are still there", async () => {
	const answer = await server.yank(bundle, token, "crashes on IPv6");
	const yanked = { at: "2026-01-01T00:00:00.000Z", reason: "crashes on IPv6" };
	expect(answer.json).toEqual({ schema: "kfn.yanked/1", name: "sample", version: "1.0.0", yanked });
	expect(await mark()).toEqual([yanked]);
	expect((await server.request(bundle.path)).status).toBe(200);
});

test("yanking again keeps the time and takes the new reason; unyanking is harmless twice", async () => {
	now = new Date("2026-06-01T00:00:00.000Z");
	await server.yank(bundle, token, "see advisory");
	expect(await mark()).toEqual([{ at: "2026-01-01T00:00:00.000Z", reason: "see advisory" }]);
	expect((await unyank()).json).toMatchObject({ yanked: null });
	expect((await unyank()).status).toBe(200);
	expect(await mark()).toEqual([null]);
});

test("a yank is seen by a client that revalidates", async () => {
	const timestamp = paths.metadata("timestamp");
	const headers = { "if-none-match": (await server.request(timestamp)).headers.get("etag") ?? "" };
	const before = await server.locate("sample/index.json");
	expect((await server.request(timestamp, { headers })).status).toBe(304);
	await server.yank(bundle, token, "x");
	expect((await server.request(timestamp, { headers })).status).toBe(200);
	expect(await server.locate("sample/index.json")).not.toBe(before);
	await unyank();
	// Undone, the index is byte for byte the one before.
	expect(await server.locate("sample/index.json")).toBe(before);
});

test("an unknown version", async () => {
	const answer = await server.yank({ ...bundle, version: "9.9.9" }, token, "x");
	expect([answer.status, answer.code]).toEqual([404, "REGISTRY_NOT_FOUND"]);
});

test.each([[undefined], [""], [5], [null], ["x".repeat(501)], ["line\nbreak"], ["\u001b[2J"]])(
	"the reason %j is refused",
	async (reason) => {
		const answer = await server.yank(bundle, token, reason);
		expect([answer.status, answer.code]).toEqual([400, "REGISTRY_REQUEST_INVALID"]);
		expect(await mark()).toEqual([null]);
	},
);

test.each([
	["more fields", '{"reason":"x","force":true}', [400, "REGISTRY_REQUEST_INVALID"]],
	["no JSON", "{", [400, "REGISTRY_REQUEST_INVALID"]],
	["nothing", "", [400, "REGISTRY_REQUEST_INVALID"]],
	["prototype pollution", '{"reason":"x","__proto__":{"a":1}}', [400, "REGISTRY_REQUEST_INVALID"]],
	["too much", JSON.stringify({ reason: "x".repeat(20_000) }), [413, "REGISTRY_TOO_LARGE"]],
])("a body with %s is refused", async (_, body, expected) => {
	const headers = { "content-type": "application/json" };
	const path = paths.yank(bundle.name, bundle.version);
	const answer = await server.request(path, { method: "POST", token, headers, body });
	expect([answer.status, answer.code]).toEqual(expected);
});

test("another content type is refused", async () => {
	const path = paths.yank(bundle.name, bundle.version);
	const sent = { method: "POST", token, body: "reason=x" };
	for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
		const answer = await server.request(path, { ...sent, headers: { "content-type": type } });
		expect([answer.status, answer.code]).toEqual([415, "REGISTRY_MEDIA_TYPE"]);
	}
});

test("many yanks and unyanks at once leave one of the two states, and every answer is a success", async () => {
	const answers = await Promise.all(
		Array.from({ length: 20 }, (_, n) =>
			n % 2 === 0 ? server.yank(bundle, token, `reason ${n}`) : unyank(),
		),
	);
	expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200));
	const [last] = await mark();
	expect(last === null || /^reason \d+$/.test(last?.reason ?? "")).toBe(true);
	await unyank();
});
