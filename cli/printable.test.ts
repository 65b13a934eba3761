// What a registry sends back reaches a terminal or a log only after this: every string of an error, however deep, is
// printable, without credentials, and bounded.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { RegistryClient } from "./client/registry.ts";
import { describeError } from "./errors.ts";
import { printable, printableValue } from "./printable.ts";

const TOKEN = `kfn_${"A".repeat(43)}`;

/** The error that a registry's refusal becomes, with these details in its answer. */
async function refusalWith(answer: Record<string, unknown>): Promise<ReturnType<typeof describeError>> {
	const body = JSON.stringify({ error: { code: "REGISTRY_NOT_FOUND", message: "no", ...answer } });
	const server = createServer((_request, response) => response.writeHead(404).end(body));
	onTestFinished(() => void server.close().closeAllConnections());
	await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
	const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	const client = new RegistryClient({
		base,
		token: TOKEN,
		signal: new AbortController().signal,
		userAgent: "kfn/test",
	});
	const error = await client.yank("flow-dissector", "1.0.0", "broken").then(
		() => expect.unreachable(),
		(thrown: unknown) => thrown,
	);
	return describeError(error);
}

test("terminal escapes and credentials deep in a registry's details are taken out, from keys as well", async () => {
	const { document, exit } = await refusalWith({
		details: {
			"\u001b[2Jkey": [{ deep: `\u001b]0;owned\u0007 Bearer ${TOKEN}` }],
			seed: "kfn-ed25519-seed c2VjcmV0",
			url: "https://user:password@example.test/x",
			password: "hunter2",
			bidi: "a\u202eb\u200fc",
			lines: "one\ntwo\tthree",
			status: 1,
		},
	});
	expect(exit).toBe(1);
	expect(document.error.details).toEqual({
		"\ufffd[2Jkey": [{ deep: "\ufffd]0;owned\ufffd Bearer kfn_…" }],
		seed: "kfn-ed25519-seed …",
		url: "https://…@example.test/x",
		password: "…",
		bidi: "a\ufffdb\ufffdc",
		lines: "one\ntwo\tthree",
		status: 404,
	});
});

test("endless details, messages and hints are cut, and say so", async () => {
	const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, ["x".repeat(100)]]));
	let nested: unknown = "bottom";
	for (let i = 0; i < 1000; i++) nested = { nested };
	const { document } = await refusalWith({
		message: "m".repeat(100_000),
		hint: "h".repeat(100_000),
		details: { nested, long: "l".repeat(200_000), empty: Array(100_000).fill([]), many, more: many },
	});
	const text = JSON.stringify(document);
	expect(text.length).toBeLessThan(400_000);
	expect(text).not.toContain("bottom");
	expect(document.error.message).toMatch(/^m{4096}…$/);
	expect(document.error.hint).toMatch(/^h{4096}…$/);
	const {
		long,
		empty,
		many: shown,
	} = document.error.details as {
		long: string;
		empty: unknown[];
		many: Record<string, unknown>;
	};
	expect(long).toMatch(/^l{65536}…$/);
	expect(empty).toHaveLength(1001);
	expect(empty.at(-1)).toBe("… 99000 more");
	expect(shown["…"]).toBe("4000 more");
});

test("a token that a cut would halve is gone before the cut", () => {
	const text = `${"x".repeat(64 * 1024 - 20)}${TOKEN}`;
	expect(printableValue(text)).not.toContain("AAAA");
});

test("values that JSON does not know become text or nothing, and a cycle ends", () => {
	const cycle: Record<string, unknown> = { big: 1n, gone: undefined };
	cycle["self"] = cycle;
	const cleaned = JSON.stringify(printableValue(cycle));
	expect(cleaned).toMatch(/^\{"big":"1","self":\{"big":"1",/);
	expect(cleaned).toContain('"self":"…"');
	expect(Object.keys(printableValue(JSON.parse('{"__proto__":{"a":1}}')) as object)).toEqual(["__proto__"]);
});

test("ordinary text stays as it is", () => {
	const text = "bearer of bad news: flow-dissector 1.0.0 → 1.0.1, größer\n\tnext";
	expect(printable(text)).toBe(text);
});
