import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCuttingProxy } from "./cutting-proxy.ts";

const BODY = Buffer.alloc(1_000_000, "kfn");
let server: Server;
let target: string;

beforeAll(async () => {
	server = createServer((request, response) => response.end(request.url === "/small" ? "small" : BODY));
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => void server.close());

async function size(url: string): Promise<number> {
	return (await (await fetch(url)).arrayBuffer()).byteLength;
}

describe("a cutting proxy", () => {
	it("passes everything until it is told to cut", async () => {
		await using proxy = await openCuttingProxy(target);
		expect(await size(`${proxy.url}/big`)).toBe(BODY.length);
		expect(proxy.cuts).toBe(0);
		expect(proxy.passed).toBeGreaterThan(BODY.length);
	});

	it.each(["reset", "end"] as const)(
		"cuts the answer with %s after the given bytes, as often as asked",
		async (how) => {
			await using proxy = await openCuttingProxy(target);
			proxy.cut({ afterBytes: 500_000, how, times: 1 });
			await expect(size(`${proxy.url}/big`)).rejects.toThrow();
			expect(proxy.cuts).toBe(1);
			expect(proxy.passed).toBe(500_000);
			expect(await size(`${proxy.url}/big`)).toBe(BODY.length);
		},
	);

	it("falls silent on an open connection", async () => {
		await using proxy = await openCuttingProxy(target);
		proxy.cut({ afterBytes: 500_000, how: "silence" });
		const response = await fetch(`${proxy.url}/big`, { signal: AbortSignal.timeout(300) });
		await expect(response.arrayBuffer()).rejects.toThrow(/timeout/i);
		expect(proxy.cuts).toBe(1);
	});

	it("cuts only the request that matches", async () => {
		await using proxy = await openCuttingProxy(target);
		proxy.cut({ afterBytes: 10, how: "reset", request: /GET \/big/ });
		expect(await size(`${proxy.url}/small`)).toBe(5);
		await expect(size(`${proxy.url}/big`)).rejects.toThrow();
		proxy.cut(undefined);
		expect(await size(`${proxy.url}/big`)).toBe(BODY.length);
	});

	it("goes down and comes up on the same port", async () => {
		await using proxy = await openCuttingProxy(target);
		const { url } = proxy;
		await proxy.down();
		await expect(size(`${url}/small`)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
		await proxy.up();
		expect(proxy.url).toBe(url);
		expect(await size(`${url}/small`)).toBe(5);
	});
});
