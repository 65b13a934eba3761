// Plays the session of docs/formats/registry.md against a real server: what the page shows is what the server answers.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { OPERATIONS } from "./api/operations.ts";
import { type TestBundle, testBundle } from "./testing/bundles.ts";
import { type Answer, TestServer } from "./testing/server.ts";

interface Exchange {
	readonly method: string;
	readonly path: string;
	readonly headers: Record<string, string>;
	readonly body: string;
	readonly status: number;
	readonly answer: string;
}

const page = readFileSync(new URL("../docs/formats/registry.md", import.meta.url), "utf8");

function readSession(): Exchange[] {
	const blocks = /```http\n(.*?)\n```\n```(?:json|text) (\d+)\n(.*?)```/gs;
	return [...page.matchAll(blocks)].map(([, request = "", status, answer = ""]) => {
		const [head = "", body = ""] = request.split("\n\n");
		const [first = "", ...lines] = head.split("\n");
		const [method = "", path = ""] = first.split(" ");
		const headers = Object.fromEntries(lines.map((line) => line.split(": ") as [string, string]));
		return { method, path, headers, body, status: Number(status), answer };
	});
}

/** Digests, sizes and times differ from run to run; the tag follows the sample's sources. */
function masked(value: unknown): unknown {
	const text = JSON.stringify(value)
		.replace(/kfn1:[0-9a-f]{64}/g, "TAG")
		.replace(/"[0-9a-f]{64}"/g, '"DIGEST"')
		.replace(/"[0-9a-f]{128}"/g, '"SIGNATURE"')
		.replace(/"(payload|sig)":"[A-Za-z0-9+/]{40,}=*"/g, '"$1":"BASE64"')
		.replace(/"(size|length|secondsLeft)":\d+/g, '"$1":0')
		.replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"TIME"');
	return JSON.parse(text);
}

/** Roots and signatures of a checkpoint differ from run to run. */
function maskedNote(text: string): string {
	return text.replace(/[A-Za-z0-9+/]{40,}=*$/gm, "BASE64");
}

async function play(
	server: TestServer,
	exchange: Exchange,
	world: { token: string; etag: string; files: Map<string, TestBundle> },
): Promise<Answer> {
	const values = Object.entries(exchange.headers).map(([name, value]) => [
		name,
		value.replace("$TOKEN", world.token).replace("$ETAG", world.etag),
	]);
	const headers = Object.fromEntries(values) as Record<string, string>;
	const body = exchange.body.startsWith("@")
		? world.files.get(exchange.body.slice(1))?.archive
		: exchange.body;
	const sent = exchange.body === "" ? {} : { body: body ?? expect.unreachable(`no file ${exchange.body}`) };
	return server.request(exchange.path, { method: exchange.method, headers, ...sent });
}

test("every answer of the page is the server's", async () => {
	await using server = await TestServer.start();
	const files = new Map([
		["sample-1.0.0.kfn", await testBundle()],
		["another-sample-1.0.0.kfn", await testBundle({ readme: "other" })],
	]);
	const world = { token: await server.token({ verbs: ["publish", "yank"] }), etag: "", files };
	for (const exchange of readSession()) {
		const what = `${exchange.method} ${exchange.path}`;
		const answer = await play(server, exchange, world);
		world.etag = answer.headers.get("etag") ?? "";
		expect([what, answer.status]).toEqual([what, exchange.status]);
		const isText = answer.headers.get("content-type")?.startsWith("text/") ?? false;
		if (isText) {
			const text = Buffer.from(answer.body).toString();
			expect([what, maskedNote(text)]).toEqual([what, maskedNote(exchange.answer)]);
			continue;
		}
		const shown: unknown = exchange.answer === "" ? undefined : JSON.parse(exchange.answer);
		if (shown === undefined) expect(answer.body.byteLength).toBe(0);
		else expect([what, masked(answer.json)]).toEqual([what, masked(shown)]);
	}
});

test("the page's index is what the registry lists", async () => {
	await using server = await TestServer.start();
	await server.publish(await testBundle(), await server.token());
	const shown = JSON.parse(/```json index\n(.*?)```/s.exec(page)?.[1] ?? "");
	const anywhere = (value: unknown) => JSON.stringify(masked(value)).replace(/"log":\{"index":\d+\}/, "");
	expect(anywhere(await server.index("sample"))).toEqual(anywhere(shown));
});

test("the page shows every operation", () => {
	const shown = readSession().map(({ method, path }) => `${method} ${path.split("?")[0]}`);
	for (const [name, { method, path }] of Object.entries(OPERATIONS)) {
		// Their answers are the document itself, and text.
		if (name === "openapi" || name === "metrics") continue;
		const parameter = name === "readLogTile" ? ".+" : "[^/]+";
		const pattern = new RegExp(`^${method} ${path.replace(/\./g, "\\.").replace(/\{\w+\}/g, parameter)}$`);
		expect([name, shown.some((line) => pattern.test(line))]).toEqual([name, true]);
	}
	expect(page.match(/```http\n/g)?.length).toBe(shown.length);
});
